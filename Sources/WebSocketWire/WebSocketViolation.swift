/// How a peer broke the WebSocket protocol, and what it is told in a Close frame.
package struct WebSocketViolation: Error, Equatable, Sendable {
    /// 1002, 1003 or 1009.
    package var code: UInt16
    /// At most 123 bytes, so that it fits a Close frame.
    package var reason: String

    /// RFC 6455 §7.4.1: 1002.
    static func protocolError(_ reason: String) -> WebSocketViolation {
        WebSocketViolation(code: WebSocketCloseCode.protocolError, reason: reason)
    }
}

/// The codes of RFC 6455 §7.4.1 that are sent here.
package enum WebSocketCloseCode {
    /// The connection that was carried ended in order.
    package static let normal: UInt16 = 1000
    /// The peer broke the protocol.
    package static let protocolError: UInt16 = 1002
    /// The peer sent text, and only bytes are carried.
    package static let unsupportedData: UInt16 = 1003
    /// Stands for a Close frame without a code; never sent.
    package static let noStatusReceived: UInt16 = 1005
    /// The carried connection is not to be: what it asks for is not allowed.
    package static let policyViolation: UInt16 = 1008
    /// A message is longer than the limit.
    package static let messageTooBig: UInt16 = 1009
    /// The carried connection broke off, or could not be made.
    package static let internalError: UInt16 = 1011

    /// Whether a Close frame may carry it (RFC 6455 §7.4).
    static func isAllowed(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
