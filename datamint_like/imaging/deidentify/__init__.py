"""Files without what tells of people: PS3.15 Annex E for DICOM, texts and metadata of the other formats."""

from datamint_like.imaging.deidentify.files import Deidentified as Deidentified
from datamint_like.imaging.deidentify.files import deidentify_files as deidentify_files
from datamint_like.imaging.deidentify.options import DeidentifyOptions as DeidentifyOptions
from datamint_like.imaging.deidentify.report import DeidentificationReport as DeidentificationReport
