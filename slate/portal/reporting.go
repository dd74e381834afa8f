package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"gatelodge/internal/web"
	"gatelodge/slate/reports"
	"gatelodge/slate/store"
)

const (
	channelsPerPage = 50
	periodsPerPage  = 26 // half a year of weeks
)

// group is one kind of reports.
type group struct{ ID, Name, About string }

// abouts say what the groups hold.
var abouts = map[string]string{
	store.GroupChannels:   "Usage and subscriptions of your channels, by territory.",
	store.GroupPremium:    "The more detailed level of your channels, by agreement.",
	store.GroupRentOrBuy:  "Transactions of your titles, by studio.",
	store.GroupStatements: "Statements of what was earned, by report identifier.",
}

// groupsOf lists the groups in which the account has anything.
func (p *Portal) groupsOf(r *http.Request, v visit) ([]group, error) {
	ids, err := p.options.Store.GroupsOf(r.Context(), v.account.ID)
	if err != nil {
		return nil, err
	}
	var all []group
	for _, g := range store.Groups() {
		if slices.Contains(ids, g[0]) {
			all = append(all, group{g[0], g[1], abouts[g[0]]})
		}
	}
	return all, nil
}

// place is where in the catalogue a page is.
type place struct {
	Account store.Membership
	Group   group
	Channel store.Channel
	Type    store.ReportType
}

func (l place) path(parts ...any) string {
	return accountPath(l.Account.ID, append([]any{"reporting"}, parts...)...)
}

// GroupPath, ChannelPath and TypePath lead to what the page is below of.
func (l place) GroupPath() string   { return l.path(l.Group.ID) }
func (l place) ChannelPath() string { return l.path(l.Group.ID, l.Channel.ID) }
func (l place) TypePath() string    { return l.path(l.Group.ID, l.Channel.ID, l.Type.ID) }

// find reads the place that an address names, each part within the one before it.
func (p *Portal) find(r *http.Request, v visit) (l place, err error) {
	gone := func(err error) error {
		return missing(err, "There is no report at this address.", web.Link{Text: "Reporting", URL: accountPath(v.account.ID, "reporting")})
	}
	l.Account = v.account
	i := slices.IndexFunc(store.Groups(), func(g [2]string) bool { return g[0] == r.PathValue("group") })
	if i < 0 {
		return l, gone(store.ErrNotFound)
	}
	g := store.Groups()[i]
	l.Group = group{g[0], g[1], abouts[g[0]]}
	if r.PathValue("channel") == "" {
		return l, nil
	}
	id, err := number(r, "channel")
	if err == nil {
		l.Channel, err = p.options.Store.Channel(r.Context(), v.account.ID, l.Group.ID, id)
	}
	if err != nil || r.PathValue("type") == "" {
		return l, gone(err)
	}
	if id, err = number(r, "type"); err == nil {
		l.Type, err = p.options.Store.Type(r.Context(), l.Channel.ID, id)
	}
	return l, gone(err)
}

// page reads which part of a list is asked for.
func page(r *http.Request, size int) store.Page {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > 1_000_000 {
		n = 1
	}
	return store.Page{Limit: size, Offset: (n - 1) * size}
}

func pager(path string, at store.Page, shown, total int) web.Pager {
	g := web.Pager{Total: total}
	if shown == 0 || total <= at.Limit {
		return web.Pager{}
	}
	g.From, g.To = at.Offset+1, at.Offset+shown
	n := at.Offset/at.Limit + 1
	if n > 1 {
		g.Prev = fmt.Sprintf("%s?page=%d", path, n-1)
	}
	if g.To < total {
		g.Next = fmt.Sprintf("%s?page=%d", path, n+1)
	}
	return g
}

type groupsPage struct {
	Account store.Membership
	Groups  []group
}

func (p *Portal) groups(w http.ResponseWriter, r *http.Request, v visit) error {
	all, err := p.groupsOf(r, v)
	if err != nil {
		return err
	}
	return p.render(w, r, v, http.StatusOK, "groups", web.Page{Title: "Reporting", Active: "reporting"}, groupsPage{v.account, all})
}

type channelsPage struct {
	place
	Tabs     []web.Tab
	Channels []store.Channel
	// Kind is what the group has: channels, studios or identifiers.
	Kind  string
	Pager web.Pager
}

func (p *Portal) channels(w http.ResponseWriter, r *http.Request, v visit) error {
	l, err := p.find(r, v)
	if err != nil {
		return err
	}
	groups, err := p.groupsOf(r, v)
	if err != nil {
		return err
	}
	at := page(r, channelsPerPage)
	data := channelsPage{place: l, Kind: "Channel"}
	switch l.Group.ID {
	case store.GroupRentOrBuy:
		data.Kind = "Studio"
	case store.GroupStatements:
		data.Kind = "Report identifier"
	}
	for _, g := range groups {
		data.Tabs = append(data.Tabs, web.Tab{Text: g.Name, URL: l.path(g.ID), Current: g.ID == l.Group.ID})
	}
	var total int
	if data.Channels, total, err = p.options.Store.Channels(r.Context(), v.account.ID, l.Group.ID, at); err != nil {
		return err
	}
	data.Pager = pager(l.GroupPath(), at, len(data.Channels), total)
	return p.render(w, r, v, http.StatusOK, "channels", web.Page{Title: l.Group.Name, Active: "reporting"}, data)
}

type typesPage struct {
	place
	Types []typeRow
	Pager web.Pager
}

type typeRow struct {
	store.ReportType
	store.Coverage
}

func (p *Portal) types(w http.ResponseWriter, r *http.Request, v visit) error {
	l, err := p.find(r, v)
	if err != nil {
		return err
	}
	at := page(r, channelsPerPage)
	all, total, err := p.options.Store.Types(r.Context(), l.Channel.ID, at)
	if err != nil {
		return err
	}
	coverages, err := p.options.Store.Coverages(r.Context(), l.Channel.ID)
	if err != nil {
		return err
	}
	data := typesPage{place: l, Pager: pager(l.ChannelPath(), at, len(all), total)}
	for _, t := range all {
		data.Types = append(data.Types, typeRow{t, coverages[t.ID]})
	}
	return p.render(w, r, v, http.StatusOK, "types", web.Page{Title: l.Channel.Name, Active: "reporting"}, data)
}

type periodsPage struct {
	place
	Reports []store.Report
	Total   int
	Pager   web.Pager
}

func (p *Portal) periods(w http.ResponseWriter, r *http.Request, v visit) error {
	l, err := p.find(r, v)
	if err != nil {
		return err
	}
	at := page(r, periodsPerPage)
	data := periodsPage{place: l}
	if data.Reports, data.Total, err = p.options.Store.Periods(r.Context(), l.Type, at); err != nil {
		return err
	}
	data.Pager = pager(l.TypePath(), at, len(data.Reports), data.Total)
	return p.render(w, r, v, http.StatusOK, "periods", web.Page{Title: l.Type.Name + " " + l.Type.Cadence, Active: "reporting"}, data)
}

// download gives an address under which the archive can be fetched. It is signed when
// it is asked for, so that a page that stays open for long has no dead links, and only
// for who may read reports at that moment.
func (p *Portal) download(w http.ResponseWriter, r *http.Request, v visit) error {
	id, err := number(r, "report")
	var report store.Report
	var kind store.ReportType
	var channel store.Channel
	if err == nil {
		report, kind, channel, err = p.options.Store.ReportOf(r.Context(), v.account.ID, id)
	}
	if err == nil && report.File == "" {
		err = store.ErrNotFound
	}
	if err != nil {
		return missing(err, "There is nothing to download at this address.", web.Link{Text: "Reporting", URL: accountPath(v.account.ID, "reporting")})
	}
	http.Redirect(w, r, p.options.Library.DownloadURL(report, reports.NewTitle(channel.Folder, kind.Folder), v.now), http.StatusSeeOther)
	return nil
}
