package import Foundation
package import HTTPSemantics

/// Decides who may do what, over a registry: the answer is a transaction for the store, or why not.
/// Pure; the time comes in as an argument.
package struct ControlPolicy: Sendable {
    /// The names of the edge itself: where connectors dial, the API.
    package var reserved: [NormalizedHost]
    /// Hostnames that the configuration file gives away.
    package var declared: [HostPattern]

    package init(reserved: [NormalizedHost], declared: [HostPattern] = []) {
        self.reserved = reserved
        self.declared = declared
    }

    /// Who asks for something, and when.
    package struct Request: Sendable {
        package var actor: AuditEntry.Actor
        package var now: Date

        package init(_ actor: AuditEntry.Actor, at now: Date) {
            self.actor = actor
            self.now = now
        }

        func audit(
            _ action: String,
            _ subject: String,
            _ details: [String: String] = [:]
        ) -> StoreTransaction {
            StoreTransaction(
                audit: AuditEntry(
                    at: self.now,
                    actor: self.actor,
                    action: action,
                    subject: subject,
                    details: details
                )
            )
        }
    }

    // MARK: Accounts

    /// Makes an account. Only for the operator and admins.
    ///
    /// - Throws: `invalid`, `exists`, `forbidden`.
    package func createAccount(
        _ account: Account,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        try Self.checkName(account.name)
        guard registry.account(named: account.name) == nil else {
            throw ControlError(.exists, "there is an account \"\(account.name)\" already")
        }
        var transaction = request.audit(
            "account.create",
            account.name,
            ["role": account.role.rawValue]
        )
        transaction.create(.account(account))
        return transaction
    }

    /// Deletes an account with all that is its own: tunnels, keys, hostnames, tokens. Only for the
    /// operator and admins.
    ///
    /// - Throws: `unknown`, `forbidden`.
    package func deleteAccount(
        _ id: AccountID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        try self.requireAdmin(request, registry)
        guard let account = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        var transaction = request.audit("account.delete", account.name)
        transaction.delete(.account(id), at: registry.revision(of: .account(id)))
        for token in registry.tokens(of: id) {
            transaction.delete(.token(token.id), at: registry.revision(of: .token(token.id)))
        }
        for tunnel in registry.tunnels(of: id) {
            Self.delete(tunnel, in: &transaction, registry)
        }
        // A tunnel or a token that is made meanwhile would be left without an owner.
        transaction.fence(.tunnel, at: registry.revision(of: .tunnel))
        transaction.fence(.token, at: registry.revision(of: .token))
        return transaction
    }

    // MARK: Tunnels

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
        let count = registry.tunnels(of: tunnel.owner).count
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
        var transaction = request.audit("tunnel.create", tunnel.name, ["owner": owner.name])
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
        var transaction = request.audit("tunnel.delete", tunnel.name)
        Self.delete(tunnel, in: &transaction, registry)
        // What is added to it meanwhile would be left behind.
        transaction.fence(.key, at: registry.revision(of: .key))
        transaction.fence(.hostname, at: registry.revision(of: .hostname))
        return transaction
    }

    private static func delete(
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

    // MARK: Hostnames

    /// Gives a hostname, or a wildcard, to a tunnel.
    ///
    /// - Throws: `exists` when the tunnel has it, `forbidden` when it is not to be had, `unknown`.
    package func claim(
        _ pattern: HostPattern,
        for id: TunnelID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        guard let owner = registry.account(tunnel.owner) else {
            throw ControlError(.unknown, "the tunnel's account is gone")
        }
        try self.checkGranted(pattern, to: owner)
        try self.checkFree(pattern, for: tunnel, registry)
        var transaction = request.audit(
            "hostname.claim",
            pattern.description,
            ["tunnel": tunnel.name]
        )
        transaction.create(
            .hostname(HostnameClaim(pattern: pattern, tunnel: id, createdAt: request.now))
        )
        transaction.expect(.tunnel(id), at: registry.revision(of: .tunnel(id)))
        transaction.expect(.account(owner.id), at: registry.revision(of: .account(owner.id)))
        // Another wildcard could come to cover it.
        transaction.fence(.hostname, at: registry.revision(of: .hostname))
        return transaction
    }

    /// Takes a hostname from its tunnel.
    ///
    /// - Throws: `unknown`.
    package func release(
        _ pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let key = StoreKey.hostname(pattern)
        guard let claim = registry.hostname(pattern),
            let tunnel = try? self.requireTunnel(claim.tunnel, request, registry)
        else { throw ControlError(.unknown, "\(pattern) is not one of your hostnames") }
        var transaction = request.audit(
            "hostname.release",
            pattern.description,
            ["tunnel": tunnel.name]
        )
        transaction.delete(key, at: registry.revision(of: key))
        return transaction
    }

    private func checkGranted(_ pattern: HostPattern, to owner: Account) throws(ControlError) {
        let host: NormalizedHost
        switch pattern.kind {
        case .exact(let name), .suffix(let name): host = name
        case .any:
            guard owner.role == .admin else {
                throw ControlError(.forbidden, "only an admin's tunnel can have every hostname")
            }
            return
        }
        // A wildcard above them is fine: exact names go first, and the edge's own before all.
        guard pattern.kind != .exact(host) || !self.reserved.contains(host) else {
            throw ControlError(.forbidden, "\(host) is the edge's own name")
        }
        if let other = self.declared.first(where: { $0.covers(pattern) }) {
            throw ControlError(
                .forbidden,
                "\(pattern) is given away by the edge's configuration, as \(other)"
            )
        }
        guard owner.role != .admin else { return }
        guard owner.suffixes.contains(where: { host == $0 || host.isBelow($0) }) else {
            let granted = owner.suffixes.map(\.name).joined(separator: ", ")
            throw ControlError(
                .forbidden,
                granted.isEmpty
                    ? "\(owner.name) was granted no hostnames; ask an admin"
                    : "\(pattern) is not below what \(owner.name) was granted: \(granted)"
            )
        }
    }

    private func checkFree(
        _ pattern: HostPattern,
        for tunnel: Tunnel,
        _ registry: Registry
    ) throws(ControlError) {
        if let claim = registry.hostname(pattern) {
            guard claim.tunnel != tunnel.id else {
                throw ControlError(.exists, "\(pattern) leads to \(tunnel.name) already")
            }
            // Another account's names are not told.
            guard let other = registry.tunnel(claim.tunnel), other.owner == tunnel.owner else {
                throw ControlError(.forbidden, "\(pattern) belongs to another account")
            }
            throw ControlError(
                .forbidden,
                "\(pattern) leads to your tunnel \(other.name); take it from there first"
            )
        }
        for claim in registry.claims where pattern.overlaps(claim.pattern) {
            guard registry.tunnel(claim.tunnel)?.owner != tunnel.owner else { continue }
            throw ControlError(
                .forbidden,
                "\(pattern) would take requests from a hostname of another account"
            )
        }
    }

    // MARK: Who

    private func requireAdmin(_ request: Request, _ registry: Registry) throws(ControlError) {
        guard case .account(let id) = request.actor else { return }
        guard registry.account(id)?.role == .admin else {
            throw ControlError(.forbidden, "only an admin may do that")
        }
    }

    private func requireOwner(
        _ id: AccountID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> Account {
        guard let owner = registry.account(id) else {
            throw ControlError(.unknown, "there is no such account")
        }
        if request.actor != .account(id) { try self.requireAdmin(request, registry) }
        return owner
    }

    /// The tunnel, if whoever asks may know of it.
    private func requireTunnel(
        _ id: TunnelID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> Tunnel {
        let unknown = ControlError(.unknown, "there is no such tunnel")
        guard let tunnel = registry.tunnel(id) else { throw unknown }
        if request.actor == .account(tunnel.owner) { return tunnel }
        do {
            try self.requireAdmin(request, registry)
        } catch {
            throw unknown
        }
        return tunnel
    }

    private static func checkName(_ name: String) throws(ControlError) {
        guard Account.isName(name) else {
            throw ControlError(
                .invalid,
                "\"\(name)\" is no name: 1 to 64 letters, digits, and . _ - @ are"
            )
        }
    }
}
