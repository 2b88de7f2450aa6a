// Package secrets keeps what capsules must be given and nobody should read in passing: API keys, tokens, passwords. A secret
// belongs to a principal and a capsule and has a name, as a setting of the capsule's [env] has.
//
// # On disk
//
// Each secret is one file of its own, var/secrets/<principal>/<capsule>/<name in base32>, mode 0600:
//
//	"astrid secret 1\n", nonce (12 bytes), AES-256-GCM of the value, tag (16 bytes)
//
// Principal, capsule and name are authenticated with it, so that one file cannot stand in for another. Files are replaced
// at once or not at all; many processes may read and write.
//
// The key is made with the first secret. If the system has a keyring that answers, it is kept there, in the item "astrid" of the
// account named in keys/secrets.key; otherwise in keys/secrets.key itself, mode 0600. Where it is stays as it is: a keyring that
// does not answer later is an error, never a reason for a new key.
//
// # What it protects against
//
// Copies of the home without its keys directory (a backup, a synchronised folder, a capsule that may read files, a log) reveal
// names and sizes only. Changed, truncated and exchanged files are refused. With the key in a keyring, whoever gets all files of the home
// needs the keyring too.
//
// It does not protect against root, against a program that runs as the same user while the key is in the file (or the keyring is
// unlocked), against reading the daemon's memory, nor against whoever can write here putting back an older value of the same secret.
package secrets
