package import Foundation

/// A place in a list of what accounts have, in order of the accounts' names and of a name among each one's own: after
/// one that has these, whether or not it is still there. What comes and goes elsewhere in the list does not move it.
package struct ListPlace: Sendable, Equatable {
    package let account: String
    package let name: String

    package init(account: String, name: String) {
        self.account = account
        self.name = name
    }

    /// Reads `ACCOUNT/NAME`; without a slash it is the place before all that the account has.
    package init(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        self.init(account: String(parts[0]), name: parts.count > 1 ? String(parts[1]) : "")
    }
}

extension ListPlace: Comparable, CustomStringConvertible {
    package static func < (left: Self, right: Self) -> Bool {
        (left.account, left.name) < (right.account, right.name)
    }

    /// What ``init(_:)`` reads.
    package var description: String { "\(self.account)/\(self.name)" }
}

extension Registry {
    /// The invitations that are open, with their accounts, after a place in the order of the accounts' names and
    /// their ids, `limit` at most; from the first on with nil.
    package func openInvitations(
        at now: Date,
        after place: ListPlace?,
        limit: Int
    ) -> [(place: ListPlace, code: AccessToken)] {
        let open = self.enrolmentCodes.filter { $0.isGood(at: now) }
        let placed = open.compactMap { code -> (place: ListPlace, code: AccessToken)? in
            guard let account = self.account(code.account) else { return nil }
            return (ListPlace(account: account.name, name: "\(code.id)"), code)
        }
        let following = placed.filter { one in place.map { one.place > $0 } ?? true }
        return Array(following.sorted { $0.place < $1.place }.prefix(limit))
    }

    /// The tunnels of some accounts after a place, in order, `limit` at most; from the first on with nil.
    package func tunnels(
        of owners: [Account],
        after place: ListPlace?,
        limit: Int
    ) -> [Tunnel] {
        var found: [Tunnel] = []
        for owner in owners.sorted(by: { $0.name < $1.name }) where found.count < limit {
            var name: String?
            if let place {
                guard owner.name >= place.account else { continue }
                name = owner.name == place.account ? place.name : nil
            }
            found += self.tunnels(of: owner.id, after: name, limit: limit - found.count)
        }
        return found
    }
}
