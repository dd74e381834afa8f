package registry

// Path is where the logo is served, "" for none. The name is the content's hash,
// so what is served there never changes.
func (h LogoHash) Path() string {
	if h == (LogoHash{}) {
		return ""
	}
	return "/logos/" + h.String() + ".png"
}
