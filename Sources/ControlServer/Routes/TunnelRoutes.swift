internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Hummingbird

/// Tunnels, and what belongs to each.
struct TunnelRoutes {
    let desk: ControlDesk

    func add(to api: APIGroup) {
        api.get("tunnels") { request, context in try await self.list(request, context) }
        api.post("tunnels") { request, context in
            let identity = try context.requireIdentity()
            return try await self.create(request.document(NewTunnelDocument.self), identity)
        }
        let tunnel = api.group("tunnels/:tunnel")
        tunnel.get { _, context in
            let (_, tunnel, registry) = try await self.find(context)
            return try Response(await self.document(tunnel, registry))
        }
        tunnel.delete { request, context in try await self.delete(request, context) }
        tunnel.delete("connectors") { _, context in try await self.cleanUp(context) }
        TunnelPartRoutes(routes: self).add(to: tunnel)
        TunnelEventRoutes(routes: self).add(to: tunnel)
    }

    /// Who asks, and the tunnel that the path names.
    ///
    /// - Throws: `unauthenticated`, `unknown`.
    func find(
        _ context: ControlContext
    ) async throws(APIProblem) -> (ControlContext.Identity, Tunnel, Registry) {
        let identity = try context.requireIdentity()
        let registry = await self.desk.registry
        let tunnel = try self.desk.tunnel(try context.path("tunnel"), of: identity, registry)
        return (identity, tunnel, registry)
    }

    private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        let identity = try context.requireIdentity()
        let registry = await self.desk.registry
        var owners = [identity.account]
        if try request.flag("all") {
            guard identity.account.role == .admin else {
                throw APIProblem(.forbidden, "only an admin may see everybody's tunnels")
            }
            owners = registry.accounts
        }
        let page = try request.page()
        let found = registry.tunnels(
            of: owners,
            after: page.after.map { ListPlace($0) },
            limit: page.wanted
        )
        let names = Dictionary(owners.map { ($0.id, $0.name) }) { first, _ in first }
        let list = await page.list(
            found,
            place: { "\(ListPlace(account: names[$0.owner] ?? "", name: $0.name))" },
            { await self.document($0, registry) }
        )
        return try Response(list)
    }

    private func create(
        _ document: NewTunnelDocument,
        _ identity: ControlContext.Identity
    ) async throws -> Response {
        let now = self.desk.now()
        let tunnel = Tunnel(owner: identity.account.id, name: document.name, createdAt: now)
        let key = TunnelKey(
            publicKey: try TunnelPublicKey(asked: document.publicKey),
            tunnel: tunnel.id,
            label: "credentials",
            createdAt: now
        )
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.createTunnel(tunnel, key: key, request, registry)
        }
        let made = await self.document(tunnel, await self.desk.registry)
        return try Response(made, status: .created)
    }

    private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let (identity, tunnel, _) = try await self.find(context)
        if try !request.flag("force") {
            let count = await self.desk.presence.connectors(of: tunnel.id).count
            guard count == 0 else {
                throw APIProblem(
                    .inUse,
                    "\(tunnel.name) is served by \(count) connector\(count == 1 ? "" : "s"): stop "
                        + "them first, or use --force, which ends their sessions"
                )
            }
        }
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.deleteTunnel(tunnel.id, request, registry)
        }
        return Response.done
    }

    /// Ends the connectors' sessions; what cannot be put into the audit trail is not done.
    private func cleanUp(_ context: ControlContext) async throws -> Response {
        let (identity, tunnel, _) = try await self.find(context)
        let count = await self.desk.presence.connectors(of: tunnel.id).count
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.endSessions(of: tunnel.id, connectors: count, request, registry)
        }
        await self.desk.presence.disconnect(tunnel.id)
        return Response.done
    }

    private func document(_ tunnel: Tunnel, _ registry: Registry) async -> TunnelDocument {
        let hostnames = registry.hostnames(of: tunnel.id)
        return TunnelDocument(
            id: "\(tunnel.id)",
            name: tunnel.name,
            owner: registry.account(tunnel.owner)?.name ?? "\(tunnel.owner)",
            createdAt: tunnel.createdAt,
            hostnames: hostnames.map(\.description),
            routes: hostnames.map { pattern in
                HostnameDocument(
                    pattern,
                    of: tunnel,
                    balance: registry.hostname(pattern)?.balance ?? .leastRequests,
                    self.desk.settings
                )
            },
            keys: registry.keys(of: tunnel.id).map { KeyDocument($0) },
            connectors: await self.desk.presence.connectors(of: tunnel.id),
            configurationVersion: registry.configuration(of: tunnel.id)?.version
        )
    }
}

extension KeyDocument {
    init(_ key: TunnelKey) {
        self.init(
            publicKey: key.publicKey.base64,
            label: key.label,
            hostnames: key.hostnames?.map(\.description),
            expiresAt: key.expiresAt,
            createdAt: key.createdAt
        )
    }
}

extension TunnelPublicKey {
    /// A key as somebody wrote it.
    ///
    /// - Throws: `invalid`.
    init(asked text: String) throws(APIProblem) {
        guard let key = TunnelPublicKey(base64: text) else {
            throw APIProblem(.invalid, "public_key is an Ed25519 key, 32 bytes in base64")
        }
        self = key
    }
}
