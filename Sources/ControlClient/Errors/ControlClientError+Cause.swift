import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix
import NIOSSL

extension ControlClientError {
    /// What a failure of the HTTP client means.
    init(cause error: any Error, options: ControlClient.Options) {
        if error is NIOTooManyBytesError {
            self = .notAnEdge(options.edge, "its answer is larger than any of an edge's")
        } else {
            self = .unreachable(options.edge, Unreachable(error, options))
        }
    }
}

extension ControlClientError.Unreachable {
    fileprivate init(_ error: any Error, _ options: ControlClient.Options) {
        switch error {
        case let error as HTTPClientError: self.init(error, options)
        case let error as NIOConnectionError: self.init(error, options)
        case let error as IOError: self.init(error, Self.dialled(options))
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self = .otherName
        case NIOSSLError.handshakeFailed(let cause): self.init(handshake: cause)
        case NIOSSLError.unableToValidateCertificate: self = .untrusted
        case ChannelError.connectTimeout: self = .timeout
        default: self = .other("\(error)")
        }
    }

    private init(_ error: HTTPClientError, _ options: ControlClient.Options) {
        switch error {
        case .connectTimeout, .deadlineExceeded, .readTimeout, .tlsHandshakeTimeout,
            .getConnectionFromPoolTimeout, .writeTimeout:
            self = .timeout
        case .proxyAuthenticationRequired:
            self.init(
                options,
                "wants a login: give it as in HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
            )
        case .invalidProxyResponse:
            self.init(options, "does not let the connection through (or is no HTTP proxy)")
        case .httpProxyHandshakeTimeout, .socksHandshakeTimeout:
            self.init(options, "does not answer")
        case .remoteConnectionClosed: self = .other("the connection was closed before an answer")
        default: self = .other("\(error)")
        }
    }

    private init(_ options: ControlClient.Options, _ words: String) {
        self = options.proxy.map { .proxy($0, words) } ?? .other("a proxy \(words)")
    }

    private init(_ error: NIOConnectionError, _ options: ControlClient.Options) {
        if let first = error.connectionErrors.first {
            if let cause = first.error as? IOError {
                self.init(cause, "\(error.host):\(error.port)")
            } else {
                self.init(first.error, options)
            }
        } else if error.dnsAError != nil || error.dnsAAAAError != nil {
            self = .noSuchName(error.host)
        } else {
            self = .other("no connection to \(error.host):\(error.port)")
        }
    }

    private init(_ error: IOError, _ address: String) {
        switch error.errnoCode {
        case ECONNREFUSED: self = .refused(address)
        case ETIMEDOUT: self = .timeout
        default: self = .other("\(address): \(String(cString: strerror(error.errnoCode)))")
        }
    }

    /// BoringSSL's words are all there is to go by.
    private init(handshake cause: BoringSSLError) {
        let words = "\(cause)"
        if words.contains("CERTIFICATE_VERIFY_FAILED") {
            self = .untrusted
        } else if words.contains("WRONG_VERSION_NUMBER") {
            self = .tls("what listens there does not speak TLS.")
        } else if words.contains("EOF during handshake") {
            self = .tls("the connection was closed in the middle of it.")
        } else {
            self = .tls(words)
        }
    }

    private static func dialled(_ options: ControlClient.Options) -> String {
        options.address.map { "\($0)" } ?? options.edge.authority
    }
}
