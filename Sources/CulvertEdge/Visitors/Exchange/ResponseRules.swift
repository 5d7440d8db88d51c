import HTTPSemantics

/// What an origin's head must keep to before it is written to a visitor.
enum ResponseRules {
    /// A Content-Length that may be absent.
    struct ContentLength: Equatable {
        var value: Int?
    }

    /// The head's Content-Length; nil when the head cannot be written: a control byte in a field
    /// would become another field or another answer, and two lengths are no length.
    static func contentLength(_ head: ResponseHead) -> ContentLength? {
        guard (100...999).contains(head.status),
            head.reason.hasOnlyFieldValueBytes
        else { return nil }
        var length: Int?
        for field in head.fields.storage {
            guard !field.name.isEmpty, field.name.allBytes({ $0.isToken }),
                field.value.hasOnlyFieldValueBytes
            else { return nil }
            guard field.name.utf8.count == 14, field.name.utf8.equalsLowercase("content-length")
            else { continue }
            guard length == nil, let number = MessageFraming.contentLength(field.value.utf8)
            else { return nil }
            length = Int(number)
        }
        return ContentLength(value: length)
    }
}
