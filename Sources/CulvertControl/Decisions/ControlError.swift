/// Why somebody may not have what he asked for; the message is for him.
package struct ControlError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// It is not written as such things are.
        case invalid
        /// There is no such thing, or none that the account may know of.
        case unknown
        /// There is one already.
        case exists
        /// It is somebody else's, or the edge's own.
        case forbidden
        /// As many as the account may have.
        case overQuota = "over-quota"
        /// It has been changed since whoever asks looked.
        case conflict
        /// Others serve it, or are served by it, now.
        case inUse = "in-use"
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { self.message }
}
