// NFC is offered by the standard library as SPI only; without it two spellings of one
// internationalised name would be two hosts. A toolchain that drops it fails to build, not to work.
@_spi(_Unicode) import Swift

/// Host names, ASCII and internationalised, brought to their canonical form.
enum HostName {
    /// The longest text worth looking at: 253 bytes of A-labels never need more than this in UTF-8.
    private static let maxInputBytes = 1024

    /// Whether the bytes are a canonical name already, so that no work is left.
    ///
    /// False for what only a closer look can tell: addresses, ports, A-labels.
    static func isCanonical(_ bytes: some Collection<UInt8>) -> Bool {
        var total = 0
        var label = 0
        var first: UInt8 = 0
        var hyphens = 0
        for byte in bytes {
            total += 1
            switch byte {
            case 0x61...0x7A, 0x30...0x39, 0x2D, 0x5F:
                if label == 0 {
                    first = byte
                    hyphens = 0
                }
                if byte == 0x2D, label == 2 || label == 3 { hyphens += 1 }
                label += 1
                if label > 63 || hyphens == 2 { return false }
            case 0x2E:
                if label == 0 { return false }
                label = 0
            default:
                return false
            }
            if total > 253 { return false }
        }
        return label > 0 && !first.isASCIIDigit
    }

    /// Normalises a name, or an IPv4 address.
    static func normalize(_ text: Substring) throws(HostError) -> NormalizedHost {
        if self.isCanonical(text.utf8) { return NormalizedHost(canonical: String(text)) }
        guard text.utf8.count <= self.maxInputBytes else { throw .nameTooLong }
        var bytes: [UInt8] = []
        if text.utf8.allSatisfy({ $0 < 0x80 }) {
            bytes = text.utf8.map(\.asciiLowercased)
        } else {
            try self.mapInternationalized(text, into: &bytes)
        }
        if bytes.last == 0x2E { bytes.removeLast() }
        guard !bytes.isEmpty else { throw text.isEmpty ? .empty : .emptyLabel }
        var last: ArraySlice<UInt8> = []
        for label in bytes.split(separator: 0x2E, omittingEmptySubsequences: false) {
            try self.validate(label)
            last = label
        }
        guard bytes.count <= 253 else { throw .nameTooLong }
        let name = String(decoding: bytes, as: UTF8.self)
        guard self.isNumber(last) else { return NormalizedHost(canonical: name) }
        guard case .v4? = IPAddress(name) else { throw .invalidIPv4(name) }
        return NormalizedHost(canonical: name)
    }

    /// Whether other readers may take the label for a number, so for (part of) an IPv4 address.
    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy(\.isASCIIDigit) { return true }
        guard label.starts(with: [0x30, 0x78]) else { return false }
        return label.dropFirst(2).allSatisfy { $0.hexadecimalValue != nil }
    }

    private static func validate(_ label: ArraySlice<UInt8>) throws(HostError) {
        guard !label.isEmpty else { throw .emptyLabel }
        for byte in label where !(byte.isASCIIAlphanumeric || byte == 0x2D || byte == 0x5F) {
            throw .illegalByte(byte)
        }
        guard label.count <= 63 else { throw .labelTooLong }
        guard label.starts(with: [0x78, 0x6E, 0x2D, 0x2D]) else { return }
        let encoded = Array(label.dropFirst(4))
        guard let scalars = Punycode.decode(encoded), scalars.contains(where: { !$0.isASCII }),
            Punycode.encode(scalars) == encoded, scalars.allSatisfy(self.isEncodable)
        else { throw .invalidALabel(String(decoding: label, as: UTF8.self)) }
    }

    /// Lower-cases, composes, splits at any dot and turns U-labels to A-labels (RFC 5891 §4.4).
    private static func mapInternationalized(
        _ text: Substring,
        into bytes: inout [UInt8]
    ) throws(HostError) {
        var mapped = ""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x3002, 0xFF0E, 0xFF61: mapped.unicodeScalars.append(".")
            // UTS 46 ignores these: soft hyphen, zero-width space, word joiner, emoji selectors, BOM.
            case 0xAD, 0x200B, 0x2060, 0xFE00...0xFE0F, 0xFEFF: continue
            case 0xFF00...0xFFEF: throw .illegalCharacter(scalar)
            default: mapped.append(scalar.properties.lowercaseMapping)
            }
        }
        var label: [Unicode.Scalar] = []
        for scalar in mapped._nfc {
            guard scalar == "." else {
                label.append(scalar)
                continue
            }
            try self.append(label, to: &bytes)
            bytes.append(0x2E)
            label.removeAll(keepingCapacity: true)
        }
        try self.append(label, to: &bytes)
    }

    private static func append(_ label: [Unicode.Scalar], to bytes: inout [UInt8]) throws(HostError)
    {
        // Composition and lower-casing can leave plain ASCII behind (the Kelvin sign is a 'k').
        if label.allSatisfy(\.isASCII) {
            bytes.append(contentsOf: label.lazy.map { UInt8(truncatingIfNeeded: $0.value) })
            return
        }
        for (position, scalar) in label.enumerated() {
            let isAllowed =
                scalar.isASCII ? self.isLabelASCII(scalar) : self.isLabelCategory(scalar)
            guard isAllowed, position > 0 || !self.isMark(scalar) else {
                throw .illegalCharacter(scalar)
            }
        }
        guard let encoded = Punycode.encode(label) else { throw .labelTooLong }
        let aLabel = [0x78, 0x6E, 0x2D, 0x2D] + encoded
        // Characters past the ASCII prefix of a fake A-label would hide behind a second encoding.
        guard !encoded.starts(with: [0x78, 0x6E, 0x2D, 0x2D]) else {
            throw .invalidALabel(String(decoding: aLabel, as: UTF8.self))
        }
        bytes.append(contentsOf: aLabel)
    }

    private static func isLabelASCII(_ scalar: Unicode.Scalar) -> Bool {
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        return byte.isASCIIAlphanumeric || byte == 0x2D || byte == 0x5F
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    /// What may be behind an A-label that arrived as such: joiners too, whose rules are not checked.
    private static func isEncodable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return self.isLabelASCII(scalar) }
        return scalar.properties.generalCategory == .format || self.isLabelCategory(scalar)
    }

    private static func isLabelCategory(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator,
            .lineSeparator, .paragraphSeparator:
            false
        default:
            scalar.properties.isDefaultIgnorableCodePoint == false
        }
    }
}
