package main

import (
	"gatelodge/slate/store"
)

// The sample world. All that the demo makes is here; the other files make it.

// password is everybody's, and no secret: the servers listen on this computer only.
const password = "come in by the gate"

const (
	scope          = "slate:reporting"
	operatorEmail  = "olivia@slate.example"
	developerEmail = "dev@reports.example"
	robotEmail     = "report_downloader@alpha.example"
)

// person has an account at Gatelodge, and a developer account where a company is given.
type person struct {
	Name, Email, About string
	company            string
	operator           bool
	// invited: has not signed in to Slate yet.
	invited bool
}

var people = []person{
	{Name: "Olivia Okafor", Email: operatorEmail, About: "runs Slate and Gatelodge", company: "Slate", operator: true},
	{Name: "Dev Patel", Email: developerEmail, About: "has the profile Video Report Downloader", company: "Report Tools"},
	{Name: "Mia Martin", Email: "mia@alpha.example", About: "manages Alpha Pictures"},
	{Name: "Victor Vega", Email: "victor@alpha.example", About: "may see the reports of both partners"},
	{Name: "Nora Novak", Email: "nora@alpha.example", About: "in Alpha Pictures, without Reports"},
	{Name: "Alpha’s downloader", Email: robotEmail, About: "for the application: Reports of both, nothing else"},
	{Name: "Ben Braun", Email: "ben@beta.example", About: "manages Beta Films"},
	{Name: "Nell Nilsen", Email: "nell@beta.example", About: "is invited to Beta Films, and let in when she signs in to Slate", invited: true},
}

// partner is an account at Slate.
type partner struct {
	name, statementID string
	rights            map[string]store.Rights // by e-mail address
	// letsIn is who let the application in, "" when nobody did.
	letsIn string
	shelf  []shelf
}

// shelf is a channel, a studio or the identifier of statements, with its report types.
type shelf struct {
	group, folder string
	size          int // of its audience
	kinds         []string
}

var (
	manages = store.Rights{Manage: true, Reports: true}
	views   = store.Rights{Reports: true}
)

var partners = []partner{
	{
		name: "Alpha Pictures", statementID: "7001001", letsIn: "mia@alpha.example",
		rights: map[string]store.Rights{"mia@alpha.example": manages, "victor@alpha.example": views, "nora@alpha.example": {}, robotEmail: views},
		shelf: []shelf{
			{store.GroupChannels, "Alpha Stories (US)", 900, []string{"Subscription Weekly", "Usage VOD Weekly", "Financial Monthly"}},
			{store.GroupChannels, "Alpha Stories (DE)", 300, []string{"Subscription Weekly", "Usage VOD Weekly", "Financial Monthly"}},
			{store.GroupChannels, "Alpha Arena (US)", 500, []string{"Subscription Weekly", "Usage Live Weekly"}},
			{store.GroupPremium, "Alpha Stories (US)", 900, []string{"Conversion and Retention Monthly"}},
			{store.GroupRentOrBuy, "Alpha Pictures", 200, []string{"Paid Weekly"}},
			{store.GroupStatements, "ALPHA-CHANNELS", 900, []string{"Statement Monthly"}},
		},
	},
	{
		name: "Beta Films", statementID: "7001002",
		rights: map[string]store.Rights{"ben@beta.example": manages, "victor@alpha.example": views, robotEmail: views, "nell@beta.example": views},
		shelf: []shelf{
			{store.GroupChannels, "Beta Cinema (GB)", 400, []string{"Subscription Weekly", "Usage VOD Weekly"}},
			{store.GroupRentOrBuy, "Beta Films", 150, []string{"Paid Weekly", "Free Monthly"}},
			{store.GroupStatements, "BETA-RENTALS", 150, []string{"Statement Monthly"}},
		},
	},
}

// kind is a report type: its columns behind those of the period, and what has a row.
type kind struct {
	columns []column
	items   []string
	// season are the months in which there is activity, all when nil.
	season []int
}

type column struct {
	name string
	// of makes a cell out of the number of the row, which goes with the audience.
	of func(n int) string
}

var kinds = map[string]kind{
	"Subscription Weekly":              {[]column{{"Subscriptions", count}, {"Billing Amount", money(499)}, {"Subscription Category", word("Paid")}}, offers, nil},
	"Usage VOD Weekly":                 {[]column{{"Unique Streams", count}, {"Minutes Streamed", times(37)}}, titles, nil},
	"Usage Live Weekly":                {[]column{{"Unique Streams", count}, {"Minutes Streamed", times(64)}}, matches, []int{1, 2, 3, 4, 9, 10, 11, 12}},
	"Financial Monthly":                {[]column{{"Paid Months", times(4)}, {"Royalty Amount", money(1396)}}, offers, nil},
	"Conversion and Retention Monthly": {[]column{{"Trials", times(2)}, {"Conversions", count}}, offers, nil},
	"Paid Weekly":                      {[]column{{"Transactions", count}, {"Royalty Amount", money(245)}}, titles, nil},
	"Free Monthly":                     {[]column{{"Streams", times(3)}}, titles, nil},
	"Statement Monthly":                {[]column{{"Units", times(4)}, {"Amount Due", money(1117)}, {"Currency", word("USD")}}, offers, nil},
}

var (
	offers  = []string{"Monthly", "Yearly", "Trial"}
	titles  = []string{"The Lodge", "Slate Roofs", "Keys, Lost and Found", "A Visitor, Late", "Nine Gates", "The Hedge"}
	matches = []string{"Northgate v Southgate", "Eastgate v Westgate", "The Cup"}
	// year is how busy each month is, in per cent.
	year = [12]int{112, 106, 101, 97, 92, 86, 83, 88, 95, 102, 108, 118}
)
