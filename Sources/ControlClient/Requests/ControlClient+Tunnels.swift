package import ControlAPI
import NIOHTTP1

// What an account does with its tunnels. A tunnel is named by its id or its name; an admin names
// another's as `ACCOUNT/NAME`.
extension ControlClient {
    /// What the edge says of itself; needs no token.
    package func edge() async throws(ControlClientError) -> EdgeDocument {
        try self.document(await self.send(.GET, [""]))
    }

    /// The account's tunnels; everybody's, for an admin who asks for `all`.
    package func tunnels(
        all: Bool = false
    ) async throws(ControlClientError) -> ListDocument<TunnelDocument> {
        try await self.items(of: ["tunnels"], query: all ? [("all", "true")] : [])
    }

    /// A tunnel, with its connectors.
    package func tunnel(_ tunnel: String) async throws(ControlClientError) -> TunnelDocument {
        try self.document(await self.send(.GET, ["tunnels", tunnel]))
    }

    /// Makes a tunnel with its first key.
    package func createTunnel(
        _ tunnel: NewTunnelDocument
    ) async throws(ControlClientError) -> TunnelDocument {
        try self.document(await self.send(.POST, ["tunnels"], body: Self.json(tunnel)))
    }

    /// Deletes a tunnel; one that connectors serve only with `force`.
    package func deleteTunnel(_ tunnel: String, force: Bool) async throws(ControlClientError) {
        let query = force ? [(name: "force", value: "true")] : []
        _ = try await self.send(.DELETE, ["tunnels", tunnel], query: query)
    }

    /// Ends the sessions of a tunnel's connectors; who has a key may come back.
    package func disconnect(_ tunnel: String) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["tunnels", tunnel, "connectors"])
    }

    /// Adds a key to a tunnel.
    package func addKey(
        _ key: NewKeyDocument,
        to tunnel: String
    ) async throws(ControlClientError) -> KeyDocument {
        try self.document(
            await self.send(.POST, ["tunnels", tunnel, "keys"], body: Self.json(key))
        )
    }

    /// Takes a key from a tunnel, and ends the sessions that logged in with it.
    package func deleteKey(
        _ key: KeyDocument,
        of tunnel: String
    ) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["tunnels", tunnel, "keys", key.name])
    }

    /// Leads a hostname to a tunnel; `isNew` is false when it led there already, and then only what
    /// `change` says of it is changed.
    package func route(
        _ hostname: String,
        to tunnel: String,
        _ change: HostnameChangeDocument? = nil
    ) async throws(ControlClientError) -> (hostname: HostnameDocument, isNew: Bool) {
        let path = ["tunnels", tunnel, "hostnames", hostname]
        let answer = try await self.send(.PUT, path, body: change.map(Self.json))
        return (try self.document(answer), answer.status == 201)
    }

    /// Takes a hostname from a tunnel.
    package func unroute(
        _ hostname: String,
        from tunnel: String
    ) async throws(ControlClientError) {
        _ = try await self.send(.DELETE, ["tunnels", tunnel, "hostnames", hostname])
    }

    /// The tunnel's remote configuration; a problem `unknown` when it has none.
    package func remoteConfiguration(
        of tunnel: String
    ) async throws(ControlClientError) -> ConfigurationDocument {
        try self.document(await self.send(.GET, ["tunnels", tunnel, "configuration"]))
    }

    /// Gives the tunnel a remote configuration, in place of the version that the document names.
    package func configure(
        _ tunnel: String,
        _ configuration: ConfigurationDocument
    ) async throws(ControlClientError) -> ConfigurationDocument {
        let path = ["tunnels", tunnel, "configuration"]
        return try self.document(
            await self.send(.PUT, path, body: Self.json(configuration))
        )
    }
}

extension KeyDocument {
    /// The key in base64url, as URLs have it and people copy it.
    package var name: String {
        self.publicKey.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Whether `text` names it: its ``name``, the same in base64, or at least eight characters that the
    /// name begins with.
    package func isNamed(_ text: String) -> Bool {
        text == self.publicKey || text == self.name
            || text.utf8.count >= 8 && self.name.hasPrefix(text)
    }
}
