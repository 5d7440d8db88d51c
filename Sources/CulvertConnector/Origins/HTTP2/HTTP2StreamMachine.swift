import NIOHTTP2
import TunnelWire

/// Decides what the origin's frames on one HTTP/2 stream mean for the exchange; no I/O, no buffers.
///
/// NIOHTTP2 has checked frames against the stream's state, pseudo-fields and Content-Length. What is
/// left: interim heads, answers that have no body, and what the end of a stream says about the answer.
struct HTTP2StreamMachine {
    private enum Answer: Equatable {
        case awaited
        case running
        /// Its head said all (RFC 9110 §6.4.1); END_STREAM is still to come.
        case bodiless
        case ended
    }

    private var answer = Answer.awaited
    private var interimHeads = 0
    private let isHead: Bool

    /// - Parameter isHead: whether the request's method is HEAD.
    init(isHead: Bool) { self.isHead = isHead }

    enum HeadAction: Equatable {
        case interim
        /// The final head; `ends`: it is all of the answer.
        case final(ends: Bool)
        case trailers
        case malformed(ResponseFault)
        case ignore
    }

    /// A header block; `status` is nil where it has none, as in trailers.
    mutating func receivedHead(status: UInt16?, endStream: Bool) -> HeadAction {
        switch (self.answer, status) {
        case (.ended, _): return .ignore
        case (.awaited, nil): return .malformed(.badStatusLine)
        case (.awaited, .some(100..<200)):
            // RFC 9113 §8.1: END_STREAM on an interim head is malformed.
            guard !endStream else { return .malformed(.badFraming) }
            self.interimHeads += 1
            guard self.interimHeads <= OriginLimits.interimHeads else {
                return .malformed(.tooManyInterimHeads)
            }
            return .interim
        case (.awaited, .some(let status)):
            let isBodiless = self.isHead || status == 204 || status == 304
            self.answer = endStream ? .ended : isBodiless ? .bodiless : .running
            return .final(ends: endStream)
        case (.running, _), (.bodiless, _):
            guard endStream, status == nil else { return .malformed(.badFraming) }
            self.answer = .ended
            return .trailers
        }
    }

    enum DataAction: Equatable {
        case forward(ends: Bool)
        case malformed(ResponseFault)
        case ignore
    }

    mutating func receivedData(bytes: Int, endStream: Bool) -> DataAction {
        switch self.answer {
        case .ended: return .ignore
        case .awaited: return .malformed(.badFraming)
        case .bodiless where bytes > 0: return .malformed(.badFraming)
        case .bodiless, .running:
            if endStream { self.answer = .ended }
            return .forward(ends: endStream)
        }
    }

    /// What the origin's RST_STREAM means (RFC 9113 §5.4.2, §8.7).
    func ending(reset code: HTTP2ErrorCode) -> AnswerEnding {
        switch self.answer {
        // NO_ERROR most of the time: the rest of the upload is not wanted (RFC 9113 §8.1).
        case .ended: .nothing
        case .awaited where code == .refusedStream: .unprocessed
        case .awaited where code == .http11Required: .needsHTTP1
        // ENHANCE_YOUR_CALM, too: the limit is the origin's, and not of this tunnel.
        case .awaited: .reset(.truncated)
        case .running, .bodiless: .truncated
        }
    }

    /// What it means that the connection is gone.
    var endingOfConnection: AnswerEnding {
        switch self.answer {
        case .ended: .nothing
        case .awaited: self.interimHeads == 0 ? .noAnswer : .partialHead
        case .running, .bodiless: .truncated
        }
    }
}
