// Package sdktest runs a capsule's handlers as plain Go against a fake host.
//
//	func TestGreet(t *testing.T) {
//		h := sdktest.New(t)
//		h.WriteFile("home://greeting.txt", "moin")
//		got := h.CallTool("greet", map[string]any{"name": "Ida"})
//		if got.IsError || got.Content != `"moin Ida"` {
//			t.Errorf("%+v", got)
//		}
//	}
//
// The fake keeps files, keys, settings, users and messages in memory, has a clock that
// stands still until a wait passes, and refuses what the host refuses for its size. What
// it cannot know is scripted: [Host.HTTP], [Host.OnHook], [Host.OnPublish],
// [Host.Process], [Host.Elicit], [Host.Approve]; whatever is not scripted is refused, never
// made up. [Host.Handle] replaces any one function. The manifest is not looked at: that
// the capsule may do what it does is for a test in a real host to show.
//
// Handlers and their package variables exist once in a process, so only one host is
// installed at a time. [New] in a second parallel test waits until the first one has
// ended; in a subtest, and again in the same test, it puts a fresh host on top of the
// parent's until the subtest ends.
package sdktest
