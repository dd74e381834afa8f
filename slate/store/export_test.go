package store

// OrderReports is the query behind lists of reports that are not in memory.
const OrderReports = orderReports

// ChannelsFor and TypesFor are the queries behind the lists of the API.
const (
	ChannelsFor = channelsFor
	TypesFor    = typesFor
)

// PageTexts are those that read the reports of a page.
var PageTexts = pageTexts

// Order is a list whose reports, with the ids 0 and on, were modified at these moments.
type Order struct{ order }

func NewOrder(modified []int64) *Order {
	o := &Order{}
	for id, at := range modified {
		o.add(int64(id), at)
	}
	return o
}

func (o *Order) Page(since int64, p Page) ([]int64, int) { return o.page(since, p) }

// Remembering is the store with room for so many reports of lists.
func (s *Store) Remembering(most int) *Store { return &Store{db: s.db, lists: newLists(most, most)} }

// Kept is how much room is taken by lists and by pages, and by how many lists.
func (s *Store) Kept() (reports, pages, lists int) {
	return s.lists.orders.kept, s.lists.pages.kept, s.lists.orders.order.Len()
}
