internal import ControlAPI
internal import CulvertControl
internal import Foundation
internal import Hummingbird
internal import Logging
internal import NIOCore

/// What goes with a request from middleware to route: whom it comes from, and who asks.
struct ControlContext: RequestContext {
    typealias Source = ControlContextSource

    var coreContext: CoreRequestContextStorage
    /// Of the peer, as text.
    let address: String
    /// Whether it came over TLS.
    let isSecure: Bool
    /// The account whose session token it carries; nil when it carries none.
    var identity: Identity?

    init(source: ControlContextSource) {
        self.coreContext = .init(source: source)
        self.address = source.address
        self.isSecure = source.isSecure
    }

    var requestDecoder: JSONDecoder { APICoding.decoder }
    var responseEncoder: JSONEncoder { APICoding.encoder }
    var maxUploadSize: Int { APICoding.maximumRequestBytes }

    /// Who asks, proven by a session token.
    struct Identity: Sendable {
        let account: Account
        let token: TokenID
    }

    /// - Throws: `unauthenticated` when nobody is logged in.
    func requireIdentity() throws(APIProblem) -> Identity {
        guard let identity else {
            throw APIProblem(.unauthenticated, "log in first: `culvert login`")
        }
        return identity
    }

    /// - Throws: `unauthenticated`, `forbidden`.
    func requireAdmin() throws(APIProblem) -> Identity {
        let identity = try self.requireIdentity()
        guard identity.account.role == .admin else {
            throw APIProblem(.forbidden, "only an admin may do that")
        }
        return identity
    }
}

/// What a ``ControlContext`` is made of.
struct ControlContextSource: RequestContextSource {
    let logger: Logger
    let address: String
    let isSecure: Bool
}
