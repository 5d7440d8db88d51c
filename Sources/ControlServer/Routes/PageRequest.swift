internal import ControlAPI
internal import Hummingbird

/// The part of a list that is asked for: `?limit=N&after=PLACE`, where PLACE is the `next` of the page before.
///
/// Places are names, not numbers: what comes and goes while somebody turns the pages neither repeats nor hides what
/// is there all the time.
struct PageRequest {
    /// How many items a page has at most, and has when nothing is said.
    static let maximumItems = 1_000

    let limit: Int
    /// Nil for the first page.
    let after: String?

    /// How many items to look for: with one more than fit there is another page.
    var wanted: Int { self.limit + 1 }

    /// The page of what was found; `place` says of an item where the list goes on after it.
    func list<Found, Item>(
        _ found: [Found],
        place: (Found) -> String,
        _ document: (Found) async throws -> Item
    ) async rethrows -> ListDocument<Item> {
        let shown = found.prefix(self.limit)
        var items: [Item] = []
        for one in shown { items.append(try await document(one)) }
        let isLast = found.count <= self.limit
        return ListDocument(items, next: isLast ? nil : shown.last.map(place))
    }
}

extension Request {
    /// The page that the query asks for.
    ///
    /// - Throws: `invalid` for a limit that is not from 1 to 1,000, and where something is said twice.
    func page() throws(APIProblem) -> PageRequest {
        let limits = self.uri.queryParameters[values: "limit"]
        let places = self.uri.queryParameters[values: "after"]
        let most = PageRequest.maximumItems
        let limit = limits.first.map { Int($0) ?? 0 } ?? most
        guard limits.count <= 1, places.count <= 1, (1...most).contains(limit) else {
            throw APIProblem(.invalid, "limit is from 1 to 1,000, and after is a page's next")
        }
        return PageRequest(limit: limit, after: places.first.map { String($0) })
    }
}
