import HTTP2Wire
import HTTPSemantics
import NIOHPACK

/// Requests as HTTP/2 has them (RFC 9113 §8.3.1).
enum HTTP2RequestHead {
    /// The header block: pseudo-fields, then the fields in their order without those of one hop (§8.2.2)
    /// but `TE: trailers`, without which gRPC does not answer.
    ///
    /// - Parameters:
    ///   - head: its own scheme and authority are the visitor's and are not used.
    ///   - host: for `:authority`.
    ///   - scheme: of the connection to the origin.
    ///   - framing: a length that is known is sent along.
    /// - Returns: nil when a part of the head would not stay what it is on the wire: a line break, a
    ///   control character, a name that is no token.
    static func block(
        _ head: RequestHead,
        host: String,
        scheme: String,
        framing: RequestFraming
    ) -> HPACKHeaders? {
        guard RequestWriter.isToken(head.method), head.method != "CONNECT",
            RequestWriter.isTarget(head.path), RequestWriter.isTarget(host)
        else { return nil }
        var block = HPACKHeaders()
        block.reserveCapacity(head.fields.count + 5)
        block.add(name: ":method", value: head.method)
        block.add(name: ":scheme", value: scheme)
        block.add(name: ":authority", value: host)
        block.add(name: ":path", value: head.path)
        for field in head.fields.storage {
            guard RequestWriter.isToken(field.name), field.value.hasOnlyFieldValueBytes else {
                return nil
            }
            switch field.name.utf8.count {
            case 2 where field.name.equalsIgnoringASCIICase("te"):
                if field.value.equalsIgnoringASCIICase("trailers") {
                    block.add(name: "te", value: "trailers")
                }
            case 4 where field.name.equalsIgnoringASCIICase("host"): continue
            case 14 where field.name.equalsIgnoringASCIICase("content-length"): continue
            default:
                if HopByHop.isHopByHop(field.name) { continue }
                block.add(field, indexing: Self.indexing(field.name))
            }
        }
        switch framing {
        case .length(let length), .addedLength(let length):
            block.add(name: "content-length", value: String(length))
        case .none, .chunked: break
        }
        return block
    }

    /// The block of a request's trailers.
    ///
    /// - Returns: nil as in `block`.
    static func trailers(_ fields: HTTPFields) -> HPACKHeaders? {
        var block = HPACKHeaders()
        for field in fields.storage {
            guard RequestWriter.isToken(field.name), field.value.hasOnlyFieldValueBytes else {
                return nil
            }
            if !HopByHop.isHopByHop(field.name) { block.add(field) }
        }
        return block
    }

    /// Visitors share the connection, and with it the table of fields: what is secret stays out of it
    /// (RFC 7541 §7.1.3).
    private static func indexing(_ name: String) -> HPACKIndexing {
        switch name.utf8.count {
        case 6 where name.equalsIgnoringASCIICase("cookie"): .neverIndexed
        case 13 where name.equalsIgnoringASCIICase("authorization"): .neverIndexed
        default: .indexable
        }
    }
}

/// A header block of an answer, taken apart (RFC 9113 §8.3.2).
struct HTTP2AnswerBlock {
    /// Nil without `:status`, as in trailers.
    var status: UInt16?
    var fields = HTTPFields()

    /// Reads a block within the limits of an HTTP/1.1 answer: `OriginLimits.headBytes`, counted as
    /// lines, and `OriginLimits.fieldCount`.
    static func read(_ block: HPACKHeaders) -> Result<HTTP2AnswerBlock, ResponseFault> {
        guard block.count <= OriginLimits.fieldCount + 1 else { return .failure(.tooManyFields) }
        var answer = HTTP2AnswerBlock()
        answer.fields.reserveCapacity(block.count)
        var bytes = 0
        var length: Int?
        for (name, value, _) in block {
            bytes += name.utf8.count + value.utf8.count + 4
            guard value.hasOnlyFieldValueBytes else { return .failure(.badField) }
            switch name {
            case ":status":
                guard let status = UInt16(value), (100...999).contains(status) else {
                    return .failure(.badStatusLine)
                }
                answer.status = status
            case "content-length":
                guard let number = ParsedHead.contentLength(value), number == length ?? number
                else { return .failure(.badContentLength) }
                length = number
            default:
                guard RequestWriter.isToken(name) else { return .failure(.badField) }
                answer.fields.append(name, value)
            }
        }
        guard bytes <= OriginLimits.headBytes else { return .failure(.headTooLarge) }
        // One length at most, and none where RFC 9110 §8.6 forbids it.
        if let length, let status = answer.status, status >= 200, status != 204 {
            answer.fields.append("content-length", String(length))
        }
        return .success(answer)
    }
}
