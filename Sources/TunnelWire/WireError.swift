/// A breach of `culvert.v1` by the peer: the link is closed with ``reason``.
package struct WireError: Error, Equatable, Sendable {
    /// Which rule was broken; never on the wire itself.
    package enum Kind: Equatable, Sendable {
        /// A frame of the critical range that this end does not know.
        case unknownFrame
        /// A payload longer than allowed, or of the wrong length for its type.
        case badLength
        /// A frame on a stream, or in a state, that does not allow it.
        case unexpectedFrame
        /// More DATA than credit was given for.
        case creditExceeded
        /// An acknowledgement, or a resume, of what was never sent.
        case badCount
        /// A payload whose content does not parse.
        case malformed
    }

    /// Which rule was broken, for code to tell apart.
    package let kind: Kind
    /// What was wrong, for the log and the peer; names the frame and the stream.
    package let reason: String

    package init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }
}
