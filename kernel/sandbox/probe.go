package sandbox

// Report says what this system can do about running programs.
type Report struct {
	Available bool   `json:"available"`
	Kind      string `json:"kind"`              // bubblewrap, seatbelt; "" where there is nothing
	Program   string `json:"program,omitempty"` // its path
	Version   string `json:"version,omitempty"`
	Kernel    string `json:"kernel,omitempty"`
	Problem   string `json:"problem,omitempty"` // why it is not available
	Remedy    string `json:"remedy,omitempty"`  // what to do about it
}
