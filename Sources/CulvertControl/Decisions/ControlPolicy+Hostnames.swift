package import HTTPSemantics

// Which hostname leads to which tunnel.
extension ControlPolicy {
    /// Gives a hostname, or a wildcard, to a tunnel.
    ///
    /// A name that another account's connectors serve by having asked for it is theirs while they do. That is in no
    /// store, so the store cannot hold this to it: of a login that comes between this and the commit, the claim is
    /// the stronger, and the session ends. `holder` is who serves an exact name now, by having asked for it.
    ///
    /// - Throws: `exists` when the tunnel has it, `forbidden` when it is not to be had, `inUse`, `overQuota`,
    ///   `unknown`.
    package func claim(
        _ pattern: HostPattern,
        for id: TunnelID,
        balance: Balance = .leastRequests,
        holder: LiveHolder? = nil,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        guard let owner = registry.account(tunnel.owner) else {
            throw ControlError(.unknown, "the tunnel's account is gone")
        }
        try self.checkGranted(pattern, to: owner)
        try self.checkFree(pattern, for: tunnel, owner, registry)
        try self.checkNotLive(pattern, holder, for: tunnel, registry)
        let count = owner.role == .admin ? 0 : registry.hostnameCount(ofAccount: owner.id)
        guard owner.role == .admin || count < owner.maximumHostnames else {
            throw ControlError(
                .overQuota,
                "\(owner.name) has \(count) hostnames, as many as it may; release one, or ask an admin "
                    + "for more"
            )
        }
        var transaction = request.audit(
            "hostname.claim",
            pattern.description,
            ["tunnel": Self.title(of: tunnel, registry), "balance": balance.rawValue]
        )
        transaction.create(
            .hostname(
                HostnameClaim(
                    pattern: pattern,
                    tunnel: id,
                    balance: balance,
                    createdAt: request.now
                )
            )
        )
        transaction.expect(.tunnel(id), at: registry.revision(of: .tunnel(id)))
        transaction.expect(.account(owner.id), at: registry.revision(of: .account(owner.id)))
        // Another wildcard could come to cover it.
        transaction.fence(.hostname, at: registry.revision(of: .hostname))
        return transaction
    }

    /// Has the requests of a tunnel's hostname shared out in another way.
    ///
    /// - Throws: `unknown`.
    package func setBalance(
        _ balance: Balance,
        of pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        var (claim, tunnel) = try self.requireHostname(pattern, request, registry)
        claim.balance = balance
        var transaction = request.audit(
            "hostname.change",
            pattern.description,
            ["tunnel": Self.title(of: tunnel, registry), "balance": balance.rawValue]
        )
        transaction.replace(.hostname(claim), at: registry.revision(of: .hostname(pattern)))
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
        let (_, tunnel) = try self.requireHostname(pattern, request, registry)
        var transaction = request.audit(
            "hostname.release",
            pattern.description,
            ["tunnel": Self.title(of: tunnel, registry)]
        )
        transaction.delete(key, at: registry.revision(of: key))
        return transaction
    }

    /// A hostname and its tunnel, if whoever asks may know of it.
    private func requireHostname(
        _ pattern: HostPattern,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> (HostnameClaim, Tunnel) {
        guard let claim = registry.hostname(pattern),
            let tunnel = try? self.requireTunnel(claim.tunnel, request, registry)
        else { throw ControlError(.unknown, "\(pattern) is not one of your hostnames") }
        return (claim, tunnel)
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
        // "Below the domain" is below it, and what looks like the edge's own is not for everybody.
        let isEdges = self.reserved.contains {
            (host == $0 || host.isBelow($0)) && !owner.isGrantedWithin($0)
        }
        guard !self.shared.contains(host), !isEdges else {
            throw ControlError(.forbidden, "only an admin's tunnel can have \(pattern)")
        }
        guard owner.isGranted(pattern) else {
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
        _ owner: Account,
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
        for claim in registry.claims(overlapping: pattern) {
            guard registry.tunnel(claim.tunnel)?.owner != tunnel.owner else { continue }
            throw ControlError(
                .forbidden,
                "\(pattern) would take requests from a hostname of another account"
            )
        }
        try self.checkNotBeneathAnothers(pattern, owner, registry)
    }

    /// Names below a hostname are for the account that has it, for admins, and for accounts that were granted
    /// them: a suffix at or below that hostname.
    private func checkNotBeneathAnothers(
        _ pattern: HostPattern,
        _ owner: Account,
        _ registry: Registry
    ) throws(ControlError) {
        guard owner.role != .admin else { return }
        let host: NormalizedHost
        switch pattern.kind {
        case .exact(let name), .suffix(let name): host = name
        case .any: return
        }
        // `*.NAME` is below NAME, too.
        let above = (pattern.kind == .suffix(host) ? [host] : []) + host.parents
        for other in above {
            guard let claim = registry.hostname(HostPattern(exactly: other)),
                registry.tunnel(claim.tunnel)?.owner != owner.id,
                !owner.isGrantedWithin(other)
            else { continue }
            throw ControlError(
                .forbidden,
                "\(pattern) is below \(other), a hostname of another account; an admin can grant it "
                    + "(`culvert account change \(owner.name) --suffix`)"
            )
        }
    }

    private func checkNotLive(
        _ pattern: HostPattern,
        _ holder: LiveHolder?,
        for tunnel: Tunnel,
        _ registry: Registry
    ) throws(ControlError) {
        switch holder {
        case nil: return
        case .tunnel(let id) where registry.tunnel(id)?.owner == tunnel.owner: return
        case .tunnel, .declared:
            throw ControlError(
                .inUse,
                "\(pattern) is served by connectors of another account now (`culvert http`, for one): it "
                    + "can be had when they have gone; choose another name, or try then"
            )
        }
    }
}
