package approval

// Tariff is the least that one request to a host costs: `[budget.tariff]` in the configuration.
type Tariff struct {
	Host       string // exact name, or "*.example.com" for every name below it
	PerRequest Micros
	Source     string // file:line
}

// floorFor returns the highest floor of all entries that match host.
func floorFor(tariff []Tariff, host string) (Micros, string) {
	var floor Micros
	var source string
	if host == "" {
		return 0, ""
	}
	host, err := canonicalHost(host)
	if err != nil {
		return 0, ""
	}
	for _, t := range tariff {
		if t.PerRequest > floor && hostMatches(t.Host, host) {
			floor, source = t.PerRequest, t.Source
		}
	}
	return floor, source
}
