package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/guard"
	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// call is a request whose token is good.
type call struct {
	*http.Request
	query
	who guard.Principal
	now time.Time
}

// resource gives a page of a list as JSON, and how many there are in all.
type resource func(c *call) (page []byte, total int, err error)

// resource adapts one: token, limit of calls and parameters before it, the answer
// after.
func (a *API) resource(list resource) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := a.answer(w, r, list)
		if refused, ok := errors.AsType[*refusal](err); ok {
			return refused.write(w, r)
		}
		return err
	}
}

func (a *API) answer(w http.ResponseWriter, r *http.Request, list resource) error {
	h := w.Header()
	// Whoever keeps an answer asks before using it again, and for the same token.
	h["Cache-Control"] = privateNoCache
	h["Vary"] = byAuthorization
	who, err := a.Guard.Check(r, a.Scope)
	if refused, ok := errors.AsType[*guard.Error](err); ok {
		return fromGuard(refused)
	}
	if err != nil {
		web.LogAttr(r.Context(), slog.String("cause", err.Error()))
		return unavailable("The access token cannot be checked at the moment: try again.")
	}
	web.LogAttr(r.Context(), slog.String("client_id", who.ClientID))
	c := &call{Request: r, who: who, now: a.Now()}
	quota := a.rates.take(caller{who.ClientID, who.Subject}, c.now)
	if quota.tell(h); quota.wait > 0 {
		return tooManyRequests()
	}
	if !who.User() {
		return lacking("The token is the application's own. Reports are seen by users: one has to authorize the application.", halfUser)
	}
	if c.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return err
	}
	page, total, err := list(c)
	if errors.Is(err, store.ErrNotFound) {
		return notFound("There is nothing with this id.")
	}
	if err != nil && c.Context().Err() == nil && store.IsUnavailable(err) {
		web.LogAttr(r.Context(), slog.String("cause", err.Error()))
		return unavailable("The reports cannot be looked up at the moment: try again.")
	}
	if err != nil {
		return err
	}
	next, err := encode(c.next(a.URL+r.URL.EscapedPath(), total))
	if err != nil {
		return err
	}
	body := make([]byte, 0, len(page)+len(next)+64)
	body = strconv.AppendInt(append(body, `{"total":`...), int64(total), 10)
	body = append(append(body, `,"next":`...), next...)
	body = append(append(body, `,"data":`...), page...)
	return sendCurrent(w, r, append(body, "}\n"...))
}

// each makes the items of a page; an empty page is [] and not null.
func each[S, T any](all []S, item func(S) T) ([]byte, error) {
	items := make([]T, 0, len(all))
	for _, v := range all {
		items = append(items, item(v))
	}
	return encode(items)
}

type accountItem struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Statements is the id of its financial statements.
	Statements string `json:"financialStatementId,omitempty"`
}

// accounts are those that the user can reach with the application (slate.md section 9.1).
func (a *API) accounts(c *call) ([]byte, int, error) {
	all, err := a.access(c)
	if err != nil {
		return nil, 0, err
	}
	if all, err = reachable(all); err != nil {
		return nil, 0, err
	}
	for _, x := range all {
		a.called(c, x.Application)
	}
	page, err := each(part(all, c.Page), func(x store.Access) accountItem {
		return accountItem{accountID(x.Account), x.Name, x.StatementID}
	})
	return page, len(all), err
}

type groupItem struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// groups are those in which the account has anything (section 9.2).
func (a *API) groups(c *call) ([]byte, int, error) {
	account, err := a.account(c)
	if err != nil {
		return nil, 0, err
	}
	have, err := a.Store.GroupsOf(c.Context(), account.ID)
	if err != nil {
		return nil, 0, err
	}
	all := slices.DeleteFunc(store.Groups(), func(g [2]string) bool { return !slices.Contains(have, g[0]) })
	page, err := each(part(all, c.Page), func(g [2]string) groupItem { return groupItem{g[0], g[1]} })
	return page, len(all), err
}

type channelItem struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Territory string `json:"territory,omitempty"`
	// Identifier is that of financial statements, which takes the place of the id in
	// addresses.
	Identifier string `json:"reportIdentifier,omitempty"`
}

// channels are the channels or studios of a group (section 9.3), or the identifiers of
// financial statements.
func (a *API) channels(c *call) ([]byte, int, error) {
	group, err := knownGroup(c)
	account, isNumber := parseID("", c.PathValue("account"))
	if err == nil && isNumber {
		all, total, application, err := a.Store.ChannelsFor(c.Context(), c.who.Subject, c.who.ClientID, account, group, c.Page)
		if err != nil {
			return nil, 0, err
		}
		if application != 0 {
			a.called(c, application)
			return channelPage(group, all, total)
		}
	}
	// There is nothing to list, and the reason is looked for.
	to, refused := a.account(c)
	if refused != nil {
		return nil, 0, refused
	}
	if err != nil {
		return nil, 0, err
	}
	all, total, err := a.Store.Channels(c.Context(), to.ID, group, c.Page)
	if err != nil {
		return nil, 0, err
	}
	return channelPage(group, all, total)
}

func channelPage(group string, all []store.Channel, total int) ([]byte, int, error) {
	page, err := each(all, func(ch store.Channel) channelItem {
		item := channelItem{ID: stableID(channelPrefix, ch.ID), Name: ch.Name, Territory: ch.Territory}
		if group == store.GroupStatements {
			item.Identifier = ch.Folder
		}
		return item
	})
	return page, total, err
}

// knownGroup is the group that a path names.
func knownGroup(c *call) (string, error) {
	group := c.PathValue("group")
	if !slices.ContainsFunc(store.Groups(), func(g [2]string) bool { return g[0] == group }) {
		return "", store.ErrNotFound
	}
	return group, nil
}

type typeItem struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Cadence string `json:"cadence"`
}

// types are the report types of a channel (section 9.4).
func (a *API) types(c *call) ([]byte, int, error) {
	group, err := knownGroup(c)
	account, isNumber := parseID("", c.PathValue("account"))
	channel, isID := parseID(channelPrefix, c.PathValue("channel"))
	if err == nil && isNumber && isID {
		all, total, application, err := a.Store.TypesFor(c.Context(), c.who.Subject, c.who.ClientID, account, group, channel, c.Page)
		if err != nil {
			return nil, 0, err
		}
		if application != 0 {
			a.called(c, application)
			return typePage(all, total)
		}
	}
	found, err := a.channelByName(c)
	if err != nil {
		return nil, 0, err
	}
	all, total, err := a.Store.Types(c.Context(), found.ID, c.Page)
	if err != nil {
		return nil, 0, err
	}
	return typePage(all, total)
}

func typePage(all []store.ReportType, total int) ([]byte, int, error) {
	page, err := each(all, func(rt store.ReportType) typeItem {
		return typeItem{stableID(typePrefix, rt.ID), rt.Name, rt.Cadence}
	})
	return page, total, err
}

// reports are the periods of a report type (section 9.5).
func (a *API) reports(c *call) ([]byte, int, error) {
	id, _ := parseID(typePrefix, c.PathValue("type")) // 0 is nobody's
	place, err := a.place(c, id)
	if err != nil {
		return nil, 0, err
	}
	all, total, err := a.Store.Reports(c.Context(), place.Type, c.modifiedSince, c.Page)
	if err != nil {
		return nil, 0, err
	}
	page, err := a.appendReports(nil, all, place, c.now)
	return page, total, err
}

// Ids have a prefix, so that one is not taken for another.
const (
	channelPrefix = "c-"
	typePrefix    = "rt-"
	reportPrefix  = "r-"
)

func stableID(prefix string, id int64) string { return prefix + strconv.FormatInt(id, 10) }

// parseID reads an id in the one spelling that it has.
func parseID(prefix, s string) (int64, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && strconv.FormatInt(id, 10) == digits
}
