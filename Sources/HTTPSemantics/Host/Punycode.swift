/// Bootstring with the parameters of RFC 3492 §5: the part of an A-label after `xn--`.
enum Punycode {
    private static let base: UInt32 = 36
    private static let tMin: UInt32 = 1
    private static let tMax: UInt32 = 26
    private static let initialBias: UInt32 = 72
    private static let initialCode: UInt32 = 128

    /// Encodes scalars to lower-case ASCII; nil on arithmetic overflow (RFC 3492 §6.3, §6.4).
    static func encode(_ scalars: [Unicode.Scalar]) -> [UInt8]? {
        var output = scalars.filter(\.isASCII).map { UInt8(truncatingIfNeeded: $0.value) }
        let basicCount = UInt32(output.count)
        var handled = basicCount
        if basicCount > 0 { output.append(0x2D) }
        var code = self.initialCode
        var delta: UInt32 = 0
        var bias = self.initialBias
        while handled < scalars.count {
            guard let next = scalars.lazy.map(\.value).filter({ $0 >= code }).min() else {
                return nil
            }
            let (step, overflow) = (next - code).multipliedReportingOverflow(by: handled + 1)
            let (sum, overflowToo) = delta.addingReportingOverflow(step)
            guard !overflow, !overflowToo else { return nil }
            delta = sum
            code = next
            for scalar in scalars {
                if scalar.value < code { delta += 1 }
                guard scalar.value == code else { continue }
                self.append(delta, bias: bias, to: &output)
                bias = self.adapt(delta, handled + 1, first: handled == basicCount)
                delta = 0
                handled += 1
            }
            delta += 1
            code += 1
        }
        return output
    }

    /// Decodes what follows `xn--`; nil when it is no well-formed encoding (RFC 3492 §6.2).
    static func decode(_ input: [UInt8]) -> [Unicode.Scalar]? {
        var output: [Unicode.Scalar] = []
        var position = 0
        if let delimiter = input.lastIndex(of: 0x2D) {
            output = input[..<delimiter].map { Unicode.Scalar($0) }
            position = delimiter + 1
        }
        var code = self.initialCode
        var index: UInt32 = 0
        var bias = self.initialBias
        while position < input.count {
            let before = index
            guard self.readInteger(input, &position, bias: bias, into: &index) else { return nil }
            let count = UInt32(output.count) + 1
            bias = self.adapt(index - before, count, first: before == 0)
            let (sum, overflow) = code.addingReportingOverflow(index / count)
            guard !overflow, let scalar = Unicode.Scalar(sum) else { return nil }
            code = sum
            index %= count
            output.insert(scalar, at: Int(index))
            index += 1
        }
        return output
    }

    /// Reads one generalised variable-length integer and adds it to `index`; false when malformed.
    private static func readInteger(
        _ input: [UInt8],
        _ position: inout Int,
        bias: UInt32,
        into index: inout UInt32
    ) -> Bool {
        var weight: UInt32 = 1
        var k = self.base
        while position < input.count {
            guard let digit = self.value(of: input[position]) else { return false }
            position += 1
            let (product, overflow) = digit.multipliedReportingOverflow(by: weight)
            let (sum, overflowToo) = index.addingReportingOverflow(product)
            guard !overflow, !overflowToo else { return false }
            index = sum
            let threshold = self.threshold(k, bias)
            if digit < threshold { return true }
            let (next, tooHeavy) = weight.multipliedReportingOverflow(by: self.base - threshold)
            guard !tooHeavy else { return false }
            weight = next
            k += self.base
        }
        return false
    }

    private static func append(_ delta: UInt32, bias: UInt32, to output: inout [UInt8]) {
        var rest = delta
        var k = self.base
        while true {
            let threshold = self.threshold(k, bias)
            guard rest >= threshold else { break }
            output.append(self.digit(threshold + (rest - threshold) % (self.base - threshold)))
            rest = (rest - threshold) / (self.base - threshold)
            k += self.base
        }
        output.append(self.digit(rest))
    }

    private static func threshold(_ k: UInt32, _ bias: UInt32) -> UInt32 {
        k <= bias ? self.tMin : min(k - bias, self.tMax)
    }

    private static func adapt(_ delta: UInt32, _ count: UInt32, first: Bool) -> UInt32 {
        var delta = first ? delta / 700 : delta / 2
        delta += delta / count
        var k: UInt32 = 0
        while delta > (self.base - self.tMin) * self.tMax / 2 {
            delta /= self.base - self.tMin
            k += self.base
        }
        return k + (self.base - self.tMin + 1) * delta / (delta + 38)
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        UInt8(truncatingIfNeeded: value < 26 ? value + 0x61 : value - 26 + 0x30)
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case 0x30...0x39: UInt32(digit) - 0x30 + 26
        case 0x61...0x7A: UInt32(digit) - 0x61
        default: nil
        }
    }
}
