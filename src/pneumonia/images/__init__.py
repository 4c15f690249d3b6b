"""What lies at the source: storage, layout, examination of files, groups, near-duplicates."""
