internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import Hummingbird

/// What lets people in: the invitations that are open, and the sessions of all accounts; for admins.
struct InvitationRoutes {
    let desk: ControlDesk

    func add(to api: APIGroup) {
        api.get("invitations") { request, context in
            _ = try context.requireAdmin()
            return try Response(await self.open(try request.page()))
        }
        api.delete("invitations/:invitation") { _, context in
            let identity = try context.requireAdmin()
            let id = TokenID(asked: try context.path("invitation"))
            guard let id else { throw APIProblem(.unknown, "there is no such invitation") }
            let policy = self.desk.policy
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.withdrawInvitation(id, request, registry)
            }
            return Response.done
        }
        api.get("accounts/:name/sessions") { _, context in
            let identity = try context.requireAdmin()
            let account = try await self.desk.account(named: try context.path("name"))
            return try Response(await self.desk.sessions(of: account.id, asking: identity))
        }
        api.delete("accounts/:name/sessions/:session") { _, context in
            let identity = try context.requireAdmin()
            let account = try await self.desk.account(named: try context.path("name"))
            let id = TokenID(asked: try context.path("session"))
            guard let id else { throw APIProblem(.unknown, "there is no such session") }
            let policy = self.desk.policy
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.revokeToken(id, of: account.id, request, registry)
            }
            return Response.done
        }
    }

    private func open(
        _ page: PageRequest
    ) async throws -> ListDocument<OpenInvitationDocument> {
        let registry = await self.desk.registry
        let found = registry.openInvitations(
            at: self.desk.now(),
            after: page.after.map { ListPlace($0) },
            limit: page.wanted
        )
        let makers = try await self.makers(of: found.map(\.code.id), registry)
        return await page.list(found, place: { "\($0.place)" }) { place, code in
            OpenInvitationDocument(
                id: "\(code.id)",
                account: place.account,
                createdBy: makers[code.id],
                createdAt: code.createdAt,
                expiresAt: code.expiresAt
            )
        }
    }

    /// Who made them, as the audit trail has it: a code is never written again, so its revision is that of its entry.
    private func makers(
        of codes: [TokenID],
        _ registry: Registry
    ) async throws(APIProblem) -> [TokenID: String] {
        let revisions = codes.map { ($0, registry.revision(of: .token($0))) }
        let entries: [StoreRevision: AuditEntry]
        do {
            entries = try await self.desk.control.audit(of: revisions.map(\.1))
        } catch {
            throw self.desk.troubles.problem(error, at: self.desk.now())
        }
        var makers: [TokenID: String] = [:]
        for (code, revision) in revisions { makers[code] = entries[revision]?.who(registry) }
        return makers
    }
}

extension TokenID {
    /// A token's id as somebody wrote it; nil when it is none.
    init?(asked text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.init(uuid)
    }
}

extension ControlDesk {
    /// - Throws: `unknown`.
    func account(named name: String) async throws(APIProblem) -> Account {
        guard let account = await self.registry.account(named: name) else {
            throw APIProblem(.unknown, "there is no account \"\(name)\"")
        }
        return account
    }

    /// The sessions of an account that are good, the oldest first.
    func sessions(
        of account: AccountID,
        asking identity: ControlContext.Identity
    ) async -> ListDocument<SessionDocument> {
        let now = self.now()
        let tokens = await self.registry.tokens(of: account)
        return ListDocument(
            tokens.filter { $0.purpose == .session && $0.isGood(at: now) }.map { token in
                SessionDocument(
                    id: "\(token.id)",
                    label: token.label,
                    createdAt: token.createdAt,
                    usedAt: token.usedAt,
                    expiresAt: token.endsAt,
                    isCurrent: token.id == identity.token
                )
            }
        )
    }
}

extension AuditEntry {
    /// Who did it, by the name of the time.
    func who(_ registry: Registry) -> String {
        switch self.actor {
        case .operator: "operator"
        case .account(let id): self.actorName ?? registry.account(id)?.name ?? "\(id)"
        }
    }
}
