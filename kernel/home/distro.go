package home

// DistroKey signs the distributions that are exported here.
func (h Home) DistroKey() string { return h.join("keys", "distro.key") }

// DistroKeys pins whose signature an exported distribution must have.
func (h Home) DistroKeys() string { return h.join("etc", "distro-keys.json") }

// DistroManifest is a copy of the Distro.toml that was installed last.
func (p Principal) DistroManifest() string { return p.join(".config", "distro.toml") }

// DistroOrigin remembers where it came from and which providers were chosen.
func (p Principal) DistroOrigin() string { return p.join(".config", "distro.origin.json") }
