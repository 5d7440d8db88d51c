internal import HTTPSemantics

// The keys of tunnels, and what their connectors are to run.
extension ControlPolicy {
    /// Keys that a tunnel may have; expired ones do not count.
    package static let maximumKeys = 100
    /// The longest remote configuration, in bytes.
    package static let maximumConfigurationBytes = 256 << 10

    /// Adds a key to a tunnel.
    ///
    /// Expired keys are kept, so that their connectors are told that they have expired, until there is no room: then
    /// the next key takes away all of them.
    ///
    /// - Throws: `unknown`, `exists`, `invalid`, `overQuota`.
    package func addKey(
        _ key: TunnelKey,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(key.tunnel, request, registry)
        guard key.label.utf8.count <= 255 else {
            throw ControlError(.invalid, "a key's label has at most 255 bytes")
        }
        guard registry.key(key.publicKey) == nil else {
            throw ControlError(.exists, "there is this key already; make a new one")
        }
        let keys = registry.keys(of: tunnel.id)
        let expired = keys.filter { $0.expiresAt.map { $0 <= request.now } ?? false }
        guard keys.count - expired.count < Self.maximumKeys else {
            throw ControlError(
                .overQuota,
                "\(tunnel.name) has \(Self.maximumKeys) keys, as many as it may; delete some"
            )
        }
        if let expiresAt = key.expiresAt, expiresAt <= request.now {
            throw ControlError(.invalid, "the key would have expired already")
        }
        let patterns = registry.hostnames(of: tunnel.id)
        for hostname in key.hostnames ?? [] where !patterns.contains(hostname) {
            throw ControlError(.invalid, "\(hostname) is not a hostname of \(tunnel.name)")
        }
        var transaction = request.audit(
            "key.create",
            Self.title(of: tunnel, registry),
            ["key": key.publicKey.base64, "label": key.label]
        )
        transaction.create(.key(key))
        if keys.count >= Self.maximumKeys {
            for old in expired {
                let key = StoreKey.key(old.publicKey)
                transaction.delete(key, at: registry.revision(of: key))
            }
            transaction.audit.details["expired-keys-deleted"] = "\(expired.count)"
        }
        transaction.expect(.tunnel(tunnel.id), at: registry.revision(of: .tunnel(tunnel.id)))
        return transaction
    }

    /// Takes a key from its tunnel; who logged in with it is logged out.
    ///
    /// - Throws: `unknown`.
    package func deleteKey(
        _ publicKey: TunnelPublicKey,
        of id: TunnelID,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        guard let key = registry.key(publicKey), key.tunnel == id else {
            throw ControlError(.unknown, "\(tunnel.name) has no such key")
        }
        var transaction = request.audit(
            "key.delete",
            Self.title(of: tunnel, registry),
            ["key": publicKey.base64, "label": key.label]
        )
        transaction.delete(.key(publicKey), at: registry.revision(of: .key(publicKey)))
        return transaction
    }

    /// Gives a tunnel another configuration, over one of a version that whoever asks has seen; 0 for none.
    ///
    /// - Throws: `unknown`, `invalid`, `conflict`.
    package func configure(
        _ id: TunnelID,
        text: String,
        replacing version: Int,
        _ request: Request,
        _ registry: Registry
    ) throws(ControlError) -> StoreTransaction {
        let tunnel = try self.requireTunnel(id, request, registry)
        guard text.utf8.count <= Self.maximumConfigurationBytes else {
            throw ControlError(.invalid, "a configuration has at most 256 KiB")
        }
        let former = registry.configuration(of: id)
        guard former?.version ?? 0 == version else {
            throw ControlError(
                .conflict,
                "the configuration is at version \(former?.version ?? 0) by now, not \(version): get it "
                    + "anew, and change that"
            )
        }
        let next = RemoteConfiguration(
            tunnel: id,
            version: version + 1,
            text: text,
            changedAt: request.now
        )
        var transaction = request.audit(
            "configuration.change",
            Self.title(of: tunnel, registry),
            ["version": "\(next.version)"]
        )
        let key = StoreKey.configuration(id)
        if former == nil {
            transaction.create(.configuration(next))
        } else {
            transaction.replace(.configuration(next), at: registry.revision(of: key))
        }
        transaction.expect(.tunnel(id), at: registry.revision(of: .tunnel(id)))
        return transaction
    }
}
