package home

import "path/filepath"

func (h Home) join(elem ...string) string {
	return filepath.Join(append([]string{h.root}, elem...)...)
}

// Root is $H itself.
func (h Home) Root() string { return h.root }

// String is the root, for messages.
func (h Home) String() string { return h.root }

// Etc holds what the user configures.
func (h Home) Etc() string { return h.join("etc") }

// ConfigFile is the user's configuration.
func (h Home) ConfigFile() string { return h.join("etc", "config.toml") }

// ServersFile lists the user's MCP servers.
func (h Home) ServersFile() string { return h.join("etc", "servers.toml") }

// HooksDir holds the user's hooks, one TOML file each.
func (h Home) HooksDir() string { return h.join("etc", "hooks") }

// LayoutVersionFile names the layout of this tree, see LayoutVersion.
func (h Home) LayoutVersionFile() string { return h.join("etc", "layout-version") }

// Var holds state that is not worth reading for a human.
func (h Home) Var() string { return h.join("var") }

// StateDB is the file of the default storage engine.
func (h Home) StateDB() string { return h.join("var", "state.db") }

// CacheDir holds compiled code. Whoever can write here can run code in the daemon: it is 0700 like the rest.
func (h Home) CacheDir() string { return h.join("var", "cache") }

// AuditAnchorDir holds the heads of the audit chains, away from the chains themselves, so that cutting one shows.
func (h Home) AuditAnchorDir() string { return h.join("var", "audit") }

// UpdateCheckFile remembers the last look for a new release.
func (h Home) UpdateCheckFile() string { return h.join("var", "update-check.json") }

// Run holds what lives as long as a daemon does.
func (h Home) Run() string { return h.join("run") }

// TokenFile holds the session token, see WriteToken.
func (h Home) TokenFile() string { return h.join("run", "system.token") }

// ReadyFile exists while a daemon is ready for clients.
func (h Home) ReadyFile() string { return h.join("run", "system.ready") }

// LockFile is locked while a daemon lives, see AcquireLock.
func (h Home) LockFile() string { return h.join("run", "daemon.lock") }

// LogDir holds the daemon's and the client's logs.
func (h Home) LogDir() string { return h.join("log") }

// KeysDir holds secret keys.
func (h Home) KeysDir() string { return h.join("keys") }

// RuntimeKey is the daemon's signing key.
func (h Home) RuntimeKey() string { return h.join("keys", "runtime.key") }

// SecretsKey is the key to the secrets, or says in which keyring it is; see package secrets.
func (h Home) SecretsKey() string { return h.join("keys", "secrets.key") }

// SecretsDir holds the sealed secrets of capsules.
func (h Home) SecretsDir() string { return h.join("var", "secrets") }

// TrustDir holds what the user said about the files with which projects address agents, see package trust.
func (h Home) TrustDir() string { return h.join("var", "trust") }

// BinDir holds <blake3 hex>.wasm.
func (h Home) BinDir() string { return h.join("bin") }

// WitDir holds <blake3 hex>.wit.
func (h Home) WitDir() string { return h.join("wit") }

// PrincipalsDir holds the principals' homes.
func (h Home) PrincipalsDir() string { return h.join("home") }

// HistoryFile is the line history of the chat screen.
func (h Home) HistoryFile() string { return h.join("history") }

// dirs are the directories that Ensure makes, parents first.
func (h Home) dirs() []string {
	return []string{h.Etc(), h.HooksDir(), h.Var(), h.CacheDir(), h.AuditAnchorDir(), h.Run(), h.LogDir(), h.KeysDir(), h.BinDir(), h.WitDir(), h.PrincipalsDir()}
}
