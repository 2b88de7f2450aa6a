// Package home knows where things are on disk: the daemon's home directory, the homes of principals, a project's .astrid
// folder, and the files by which daemon and clients find each other.
//
//	$H                         $ASTRID_HOME, or $HOME/.astrid; all directories 0700
//	  etc/                     layout-version, config.toml, servers.toml, hooks/
//	  var/                     state.db, cache/ (compiled code), audit/ (heads of the chains), update-check.json
//	  run/                     system.sock, system.token, system.ready, daemon.lock
//	  log/                     astrid.YYYY-MM-DD.log
//	  keys/                    runtime.key
//	  bin/, wit/               content-addressed components and interfaces
//	  home/<principal>/        $P
//	    .local/                capsules/<id>/, log/<id>/, audit/, overlay/<session>/, tmp/
//	    .config/               env/<id>.env.json, distro.lock
//	    wit/                   standard interfaces
//
// Everything here is private to one user: Ensure refuses a home that others can change. Paths are plain strings made without
// touching the disk; names that come from outside (principals, capsule ids, sessions) are checked before they become part of one.
package home
