package sbom

import "encoding/json"

// syftDocument is what of Syft's own JSON matters here
// (https://github.com/anchore/syft/tree/main/schema/json).
type syftDocument struct {
	Artifacts []struct {
		Name      string `json:"name"`
		Version   string `json:"version"`
		PURL      string `json:"purl"`
		Locations []struct {
			Path    string `json:"path"`
			LayerID string `json:"layerID"`
		} `json:"locations"`
	} `json:"artifacts"`
	Distro struct {
		ID         string `json:"id"`
		VersionID  string `json:"versionID"`
		Codename   string `json:"versionCodename"`
		PrettyName string `json:"prettyName"`
		CPEName    string `json:"cpeName"`
	} `json:"distro"`
}

func (r *reader) syft(data []byte) (string, error) {
	var doc syftDocument
	if err := json.Unmarshal(data, &doc); err != nil {
		return "Syft", err
	}
	d := doc.Distro
	release := Release{ID: d.ID, Version: d.VersionID, Codename: d.Codename, PrettyName: d.PrettyName, CPEName: d.CPEName}
	r.distribution = release.distribution()
	for _, a := range doc.Artifacts {
		f := foreign{name: a.Name, version: a.Version, purl: a.PURL}
		for _, l := range a.Locations {
			f.locations = append(f.locations, l.Path)
			if f.layer == nil {
				f.layer = layerOf(l.LayerID, "")
			}
		}
		r.add(f, release)
	}
	return "Syft", nil
}
