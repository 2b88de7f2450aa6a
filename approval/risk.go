package approval

// risk is the level shown to the human: the one given if it is a known word, else that of the kind. In an
// explicit question the word comes from the capsule, which may not call its own wish harmless.
func (a *Action) risk() string {
	if a.Kind == Ask && a.Risk == "low" {
		return "medium"
	}
	switch a.Risk {
	case "low", "medium", "high", "critical":
		return a.Risk
	}
	switch a.Kind {
	case FSDelete, FSWrite, Exec, NetBind:
		return "high"
	case Identity:
		return "critical"
	case IPCPublish, IPCSubscribe, Hook, Uplink, KV, Config, Process, Stream:
		return "low"
	case Ask:
		return "high"
	}
	return "medium"
}

// riskRank orders risks; higher is worse.
func riskRank(risk string) int {
	switch risk {
	case "low":
		return 0
	case "medium":
		return 1
	case "high":
		return 2
	}
	return 3
}
