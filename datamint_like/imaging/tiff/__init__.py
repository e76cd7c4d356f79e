"""TIFF (revision 6.0, its technical notes, and BigTIFF): directories, pages, segments, values, decoder."""
