package home

// maxSocketPath is the size of sun_path with its final zero.
const maxSocketPath = 108
