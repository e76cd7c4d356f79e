"""DICOM: header, frames, place in space, values and pixels, one module each."""
