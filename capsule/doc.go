// Package capsule loads, orders and runs capsules.
//
// A capsule is a directory with a Capsule.toml. Its manifest states who it is, what it exports and imports,
// which events it handles and which capabilities bound it; nothing a capsule does later can exceed that
// bound. ParseManifest reads it strictly (an unknown or misspelt key is an error with its line), Resolve
// puts many manifests into load order and names those that cannot be loaded, and Meta records what was
// installed, so that every byte can be checked against it again at each load.
//
// A loaded capsule is an actor with a bounded mailbox. The registry holds the running ones and the
// dispatcher delivers events to them.
package capsule
