package import ControlAPI
import NIOHTTP1

// Accounts and what they did; but for one's own, for admins.
extension ControlClient {
    /// The account that asks.
    package func account() async throws(ControlClientError) -> AccountDocument {
        try self.document(await self.send(.GET, ["account"]))
    }

    /// Every account.
    package func accounts() async throws(ControlClientError) -> ListDocument<AccountDocument> {
        try await self.items(of: ["accounts"])
    }

    /// Makes an account, with a code that lets somebody into it.
    package func createAccount(
        _ account: NewAccountDocument
    ) async throws(ControlClientError) -> InvitationDocument {
        try self.document(await self.send(.POST, ["accounts"], body: Self.json(account)))
    }

    /// Changes what the document names.
    package func changeAccount(
        _ name: String,
        _ change: AccountChangeDocument
    ) async throws(ControlClientError) -> AccountDocument {
        try self.document(
            await self.send(.PATCH, ["accounts", name], body: Self.json(change))
        )
    }

    /// Makes another code that lets somebody into an account.
    package func invite(_ name: String) async throws(ControlClientError) -> InvitationDocument {
        try self.document(await self.send(.POST, ["accounts", name, "invitation"]))
    }

    /// The invitations into all accounts that nobody has used yet.
    package func invitations() async throws(ControlClientError) -> ListDocument<
        OpenInvitationDocument
    > {
        try await self.items(of: ["invitations"])
    }

    /// Takes one of them back: its code is good for nothing.
    ///
    /// - Throws: a problem `unknown` when there is none with this id.
    package func withdrawInvitation(_ id: String) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["invitations", id])
    }

    /// Deletes an account with all that is its own.
    package func deleteAccount(_ name: String) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["accounts", name])
    }

    /// The latest entries of the audit trail, the latest first; the edge hands out 1,000 at a time, and is
    /// asked as often as `limit` needs.
    package func audit(
        limit: Int
    ) async throws(ControlClientError) -> ListDocument<AuditDocument> {
        let most = 1_000
        var entries: [AuditDocument] = []
        while entries.count < limit {
            let wanted = min(limit - entries.count, most)
            var query = [(name: "limit", value: "\(wanted)")]
            if let last = entries.last { query.append(("before", "\(last.revision)")) }
            let page: ListDocument<AuditDocument> = try self.document(
                await self.send(.GET, ["audit"], query: query)
            )
            entries += page.items
            guard page.items.count == wanted else { break }
        }
        return ListDocument(entries)
    }
}
