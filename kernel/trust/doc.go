// Package trust remembers what a person said about the files with which a project addresses agents: its instructions, skills,
// commands and memory.
//
// Such files come with a cloned repository. What a stranger wrote in AGENTS.md would speak to the agent with the voice of the user, so
// it is used only after the user was asked. The answer is about the files as they were shown: a BLAKE3 hash of each is kept, and a
// file that came, went or changed asks again. The one exception is .astrid/memory.md, which agents write themselves: the answer is
// about its being there.
//
// Not among these files is .astrid/config.toml, which only tightens and always counts, as .astridignore does. Without trust a project
// works as any other: agents can read the files with a tool, as text and not as instructions.
//
// What is asked about: AGENTS.md and ASTRID.md in the workspace's root and everything below .astrid and .agents, but for
// .astrid/config.toml and .astrid/capsules. At most [MaxFiles] files of [MaxFile] bytes each and [MaxBytes] together; a project that has more, or whose
// links lead out of it or to directories, cannot be trusted until that is changed.
//
// Capsules below .astrid/capsules are never loaded, whatever was answered: a person installs them, and sees what they may do first.
// [Offers] lists their names, so that somebody learns of them.
//
// The answers are files of the home, var/trust/<hash of the workspace's path>.json, that no guest and no program can reach.
package trust
