package console

import (
	"net/http"
	"strconv"

	"gatelodge/internal/registry"
)

type scopesPage struct {
	Head    head
	Groups  []scopeGroup
	Others  []registry.Scope // known, but not granted to the profile
	API     string           // the profile's own identifier as an API, "" for none
	Dynamic bool
}

// scopeGroup are the scopes of one API that the profile may ask for.
type scopeGroup struct {
	Title, ID string
	Scopes    []registry.Scope
}

// showProfileScopes shows what the application may ask users for, and what of it only
// the operator can give.
func (s *Surface) showProfileScopes(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	table, err := s.View.Scopes(r.Context())
	if err != nil {
		return err
	}
	apis, err := s.Store.APIs(r.Context())
	if err != nil {
		return err
	}
	page := scopesPage{Head: newHead(p, tabScopes), Groups: []scopeGroup{{Title: "This server", ID: "here"}}, API: p.Audience, Dynamic: p.Dynamic}
	at := map[int64]int{0: 0}
	for scope := range table.All() {
		if !p.MayAsk(scope) {
			// Name and line, and no more: whom it is for is between the operator and
			// those who have it.
			page.Others = append(page.Others, scope)
			continue
		}
		i, ok := at[scope.Audience]
		if !ok {
			i = len(page.Groups)
			at[scope.Audience] = i
			page.Groups = append(page.Groups, scopeGroup{Title: apiName(scope, apis), ID: "api-" + strconv.Itoa(i)})
		}
		page.Groups[i].Scopes = append(page.Groups[i].Scopes, scope)
	}
	return s.render(w, r, v, http.StatusOK, "scopes", "Scopes · "+p.Name, nil, page)
}
