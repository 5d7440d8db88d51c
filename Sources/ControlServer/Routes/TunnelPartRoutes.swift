internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import HTTPSemantics
internal import Hummingbird

/// A tunnel's keys, hostnames and configuration, below `/tunnels/TUNNEL`.
struct TunnelPartRoutes {
    let routes: TunnelRoutes

    private var desk: ControlDesk { self.routes.desk }

    func add(to tunnel: APIGroup) {
        tunnel.post("keys") { request, context in
            try await self.addKey(request.document(NewKeyDocument.self), context)
        }
        tunnel.delete("keys/:key") { _, context in
            let (identity, tunnel, _) = try await self.routes.find(context)
            guard let bytes = Data(base64URL: try context.path("key")),
                let key = TunnelPublicKey(bytes)
            else { throw APIProblem(.invalid, "a key is named by its 32 bytes in base64url") }
            let policy = self.desk.policy
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.deleteKey(key, of: tunnel.id, request, registry)
            }
            return Response.done
        }
        tunnel.put("hostnames/:hostname") { request, context in
            let change = try await request.optionalDocument(HostnameChangeDocument.self)
            return try await self.claim(change ?? HostnameChangeDocument(), context)
        }
        tunnel.delete("hostnames/:hostname") { _, context in try await self.release(context) }
        tunnel.get("configuration") { _, context in
            let (_, tunnel, registry) = try await self.routes.find(context)
            guard let configuration = registry.configuration(of: tunnel.id) else {
                throw APIProblem(.unknown, "\(tunnel.name) has no configuration at the edge")
            }
            return try Response(ConfigurationDocument(configuration))
        }
        tunnel.put("configuration") { request, context in
            try await self.configure(request.document(ConfigurationDocument.self), context)
        }
    }

    private func addKey(
        _ document: NewKeyDocument,
        _ context: ControlContext
    ) async throws -> Response {
        let (identity, tunnel, _) = try await self.routes.find(context)
        let key = TunnelKey(
            publicKey: try TunnelPublicKey(asked: document.publicKey),
            tunnel: tunnel.id,
            label: try document.label.checkedLabel(),
            hostnames: try document.hostnames?.map { try HostPattern(asked: $0) },
            expiresAt: document.expiresAt,
            createdAt: self.desk.now()
        )
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.addKey(key, request, registry)
        }
        return try Response(KeyDocument(key), status: .created)
    }

    private func claim(
        _ change: HostnameChangeDocument,
        _ context: ControlContext
    ) async throws -> Response {
        let (identity, tunnel, registry) = try await self.routes.find(context)
        let pattern = try HostPattern(asked: try context.path("hostname"))
        let balance = try change.balance.map { try Balance(asked: $0) }
        let policy = self.desk.policy
        let kept = registry.hostname(pattern)
        let isNew = kept?.tunnel != tunnel.id
        if isNew {
            let presence = self.desk.presence
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                // As late as can be; of what comes after it the claim is the stronger.
                try policy.claim(
                    pattern,
                    for: tunnel.id,
                    balance: balance,
                    moving: change.moves ?? false,
                    holder: pattern.exactHost.flatMap { presence.holder(of: $0) },
                    request,
                    registry
                )
            }
        } else if let balance, balance != kept?.balance {
            try await self.desk.change(identity) { request, registry throws(ControlError) in
                try policy.setBalance(balance, of: pattern, request, registry)
            }
        }
        // Saying the same again is no mistake.
        let document = HostnameDocument(
            pattern,
            of: tunnel,
            balance: balance ?? kept?.balance ?? .leastRequests,
            self.desk.settings
        )
        return try Response(document, status: isNew ? .created : .ok)
    }

    private func release(_ context: ControlContext) async throws -> Response {
        let (identity, tunnel, registry) = try await self.routes.find(context)
        let pattern = try HostPattern(asked: try context.path("hostname"))
        guard registry.hostname(pattern)?.tunnel == tunnel.id else {
            throw APIProblem(.unknown, "\(pattern) is not a hostname of \(tunnel.name)")
        }
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.release(pattern, request, registry)
        }
        return Response.done
    }

    private func configure(
        _ document: ConfigurationDocument,
        _ context: ControlContext
    ) async throws -> Response {
        let (identity, tunnel, _) = try await self.routes.find(context)
        let policy = self.desk.policy
        try await self.desk.change(identity) { request, registry throws(ControlError) in
            try policy.configure(
                tunnel.id,
                text: document.text,
                replacing: document.version,
                request,
                registry
            )
        }
        let next = ConfigurationDocument(version: document.version + 1, text: document.text)
        return try Response(next)
    }
}

extension ConfigurationDocument {
    fileprivate init(_ configuration: RemoteConfiguration) {
        self.init(version: configuration.version, text: configuration.text)
    }
}

extension HostnameDocument {
    init(_ pattern: HostPattern, of tunnel: Tunnel, balance: Balance, _ settings: ControlSettings) {
        self.init(
            hostname: pattern.description,
            tunnel: tunnel.name,
            url: pattern.exactHost.map { settings.url(of: $0.name) },
            balance: balance.rawValue,
            isDeclared: settings.declared().contains(pattern) ? true : nil,
            hasCertificate: settings.isCertified(pattern) ? nil : false
        )
    }
}

extension HostPattern {
    /// The host, if it is one; nil for a wildcard.
    fileprivate var exactHost: NormalizedHost? {
        guard case .exact(let host) = self.kind else { return nil }
        return host
    }
}

extension Balance {
    /// A setting as somebody wrote it.
    ///
    /// - Throws: `invalid`.
    fileprivate init(asked text: String) throws(APIProblem) {
        guard let balance = Self(rawValue: text) else {
            throw APIProblem(.invalid, "balance is one of \(Self.names), not \"\(text)\"")
        }
        self = balance
    }
}
