// Tunnels, each made with its first key.
extension ControlPolicy {
    /// Makes a tunnel with its first key.
    ///
    /// - Throws: `invalid`, `exists`, `overQuota`, `unknown`.
    package func createTunnel(
        _ tunnel: Tunnel,
        key: TunnelKey,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let owner = try self.requireOwner(tunnel.owner, request, registry)
        try Self.checkName(tunnel.name)
        guard registry.tunnel(named: tunnel.name, of: tunnel.owner) == nil else {
            throw ControlError(.exists, "there is a tunnel \"\(tunnel.name)\" already")
        }
        let count = registry.tunnelCount(of: tunnel.owner)
        guard owner.role == .admin || count < owner.maximumTunnels else {
            throw ControlError(
                .overQuota,
                "\(owner.name) has \(count) tunnels, as many as it may; delete one, or ask an admin "
                    + "for more"
            )
        }
        guard registry.key(key.publicKey) == nil else {
            throw ControlError(.exists, "another tunnel has this key; make a new one")
        }
        var transaction = request.audit("tunnel.create", Self.title(of: tunnel, registry))
        transaction.create(.tunnel(tunnel))
        transaction.create(.key(key))
        transaction.expect(.account(owner.id), at: registry.revision(of: .account(owner.id)))
        // Two at once could pass the quota together.
        if owner.role != .admin { transaction.fence(.tunnel, at: registry.revision(of: .tunnel)) }
        return transaction
    }

    /// Deletes a tunnel with its keys, hostnames and configuration.
    ///
    /// - Throws: `unknown`.
    package func deleteTunnel(
        _ id: TunnelID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        var transaction = request.audit("tunnel.delete", Self.title(of: tunnel, registry))
        Self.delete(tunnel, in: &transaction, registry)
        // What is added to it meanwhile would be left behind.
        for kind in [StoreKey.Kind.key, .hostname, .configuration] {
            transaction.fence(kind, at: registry.revision(of: kind))
        }
        return transaction
    }

    /// Has the sessions of a tunnel's connectors ended. Nothing of that is in the store, but that it was
    /// done; `connectors` is how many there are.
    ///
    /// - Throws: `unknown`.
    package func endSessions(
        of id: TunnelID,
        connectors: Int,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        var transaction = request.audit(
            "tunnel.cleanup",
            Self.title(of: tunnel, registry),
            ["connectors": "\(connectors)"]
        )
        transaction.expect(.tunnel(id), at: registry.revision(of: .tunnel(id)))
        return transaction
    }

    static func delete(
        _ tunnel: Tunnel,
        in transaction: inout StoreTransaction,
        _ registry: Registry
    ) {
        var keys: [StoreKey] = [.tunnel(tunnel.id)]
        keys += registry.keys(of: tunnel.id).map { .key($0.publicKey) }
        keys += registry.hostnames(of: tunnel.id).map { .hostname($0) }
        if registry.configuration(of: tunnel.id) != nil { keys.append(.configuration(tunnel.id)) }
        for key in keys { transaction.delete(key, at: registry.revision(of: key)) }
    }
}
