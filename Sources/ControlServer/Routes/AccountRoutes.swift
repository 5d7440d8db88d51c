internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Hummingbird

/// Accounts and the audit trail.
struct AccountRoutes {
    let desk: ControlDesk

    func add(to api: APIGroup) {
        api.get("account") { _, context in
            try Response(AccountDocument(context.requireIdentity().account))
        }
        api.get("accounts") { request, context in
            _ = try context.requireAdmin()
            let page = try request.page()
            let found = await self.desk.registry.accounts(after: page.after, limit: page.wanted)
            let list = await page.list(found, place: \.name) { AccountDocument($0) }
            return try Response(list)
        }
        api.post("accounts") { request, context in
            let identity = try context.requireAdmin()
            return try await self.create(request.document(NewAccountDocument.self), identity)
        }
        api.patch("accounts/:name") { request, context in
            let identity = try context.requireAdmin()
            let change = try await request.document(AccountChangeDocument.self)
            return try await self.change(try context.path("name"), change, identity)
        }
        api.post("accounts/:name/invitation") { _, context in
            let identity = try context.requireAdmin()
            return try await self.invite(try context.path("name"), identity)
        }
        api.delete("accounts/:name") { _, context in
            let identity = try context.requireAdmin()
            let account = try await self.desk.account(named: try context.path("name"))
            let policy = self.desk.policy
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.deleteAccount(account.id, request, registry)
            }
            return Response.done
        }
        api.get("audit") { request, context in
            _ = try context.requireAdmin()
            return try await self.audit(request)
        }
    }

    private func create(
        _ document: NewAccountDocument,
        _ identity: ControlContext.Identity
    ) async throws -> Response {
        let invitation = try Invitation(document, self.desk.settings, now: self.desk.now())
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.createAccount(
                invitation.account,
                enrolment: invitation.kept,
                request,
                registry
            )
        }
        return try Response(invitation.document(self.desk.settings), status: .created)
    }

    private func invite(
        _ name: String,
        _ identity: ControlContext.Identity
    ) async throws -> Response {
        let invitation = Invitation(
            to: try await self.desk.account(named: name),
            now: self.desk.now()
        )
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.invite(invitation.kept, request, registry)
        }
        return try Response(invitation.document(self.desk.settings), status: .created)
    }

    private func change(
        _ name: String,
        _ document: AccountChangeDocument,
        _ identity: ControlContext.Identity
    ) async throws -> Response {
        let account = try await self.desk.account(named: name)
        let role = try document.role.map { try Account.Role(asked: $0) }
        let suffixes = try document.suffixes?.map { try NormalizedHost(asked: $0) }
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.changeAccount(
                account.id,
                role: role,
                maximumTunnels: document.maximumTunnels,
                maximumHostnames: document.maximumHostnames,
                suffixes: suffixes,
                releasesHostnames: document.releaseHostnames ?? false,
                request,
                registry
            )
        }
        return try Response(AccountDocument(await self.desk.account(named: name)))
    }

    private func audit(_ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        let before = query["before"].map { Int64($0) ?? 0 } ?? .max
        let limit = query["limit"].map { Int($0) ?? 0 } ?? 100
        guard before > 0, (1...1_000).contains(limit) else {
            throw APIProblem(.invalid, "before is a revision, and limit is from 1 to 1,000")
        }
        let entries: [(revision: StoreRevision, entry: AuditEntry)]
        do {
            entries = try await self.desk.control.audit(
                before: StoreRevision(before),
                limit: limit
            )
        } catch {
            throw self.desk.troubles.problem(error, at: self.desk.now())
        }
        let registry = await self.desk.registry
        return try Response(
            ListDocument(entries.map { AuditDocument($0.entry, $0.revision, registry) })
        )
    }
}

extension AccountDocument {
    init(_ account: Account) {
        let isAdmin = account.role == .admin
        self.init(
            id: "\(account.id)",
            name: account.name,
            role: account.role.rawValue,
            maximumTunnels: isAdmin ? nil : account.maximumTunnels,
            maximumHostnames: isAdmin ? nil : account.maximumHostnames,
            suffixes: isAdmin ? nil : account.suffixes.map(\.name),
            createdAt: account.createdAt
        )
    }
}

extension AuditDocument {
    fileprivate init(_ entry: AuditEntry, _ revision: StoreRevision, _ registry: Registry) {
        self.init(
            revision: revision.number,
            at: entry.at,
            actor: entry.who(registry),
            action: entry.action,
            subject: entry.subject,
            details: entry.details
        )
    }
}
