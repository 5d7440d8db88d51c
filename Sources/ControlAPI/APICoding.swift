package import Foundation

/// How the documents of the API become JSON, and are read from it: see the article of ``ControlAPI``.
package enum APICoding {
    /// A request's body may have so many bytes.
    package static let maximumRequestBytes = 512 << 10
    /// An answer may have so many bytes; a client stops reading there.
    package static let maximumAnswerBytes = 64 << 20

    /// Makes JSON of documents; keys in alphabetical order, so that outputs can be compared.
    package static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// Reads documents from JSON.
    package static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}
