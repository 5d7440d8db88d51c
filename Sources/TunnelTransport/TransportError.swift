/// Why something could not be set up; the message is for a person and names what is at fault.
package struct TransportError: Error, Equatable, CustomStringConvertible {
    /// What could not be set up.
    package enum Code: Sendable {
        /// libwebsockets could not be started.
        case startFailed
        /// A certificate, key or CA file is missing, unreadable or wrong.
        case badFile
        /// A hostname, path or header field that must not be sent.
        case badTarget
    }

    /// For programs; the message is for people.
    package let code: Code
    /// Names the file, name or field at fault; also the error's description.
    package let message: String

    package var description: String { self.message }

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
