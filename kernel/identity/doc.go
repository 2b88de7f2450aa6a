// Package identity knows the users and which accounts on other platforms belong to them.
//
// A user has an id (UUID), a principal under which everything of theirs is kept, and perhaps a display name. A link ties one
// account, a platform and an id there, to a user; it is how a message from a chat service gets a principal. The person at the
// daemon's own machine is the user root, linked as platform "cli", account "local".
//
// Records live in a store, as JSON under
//
//	user/<uuid>                          a User
//	link/<platform>/<platform user id>   a Link
//	name/<display name>                  the uuid of the first user of that name
//	principal/<principal>                the uuid of the user it belongs to
//
// Two users never share a principal, however alike their names: it decides whose data a capsule sees. Names may be shared, for
// people do; the name index stays with the first, so that a newcomer cannot take over what was configured by name.
package identity
