"""The source of the images: storage, layout, examination of files, groups, near-duplicates."""
