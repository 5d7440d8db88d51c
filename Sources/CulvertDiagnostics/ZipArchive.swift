package import Foundation

/// A zip file in memory, its entries stored as they are (PKWARE's APPNOTE 6.3, without ZIP64): what a few
/// pages of text need, and every program that opens zip files reads.
package struct ZipArchive {
    /// What is larger than this format can say: 65,535 entries, 4 GiB.
    package struct TooLarge: Error {}

    private var entries: [UInt8] = []
    private var directory: [UInt8] = []
    private var count = 0
    private let time: UInt16
    private let date: UInt16

    /// An empty archive; `moment` is when its entries were last changed, in the zone of this machine.
    package init(moment: Date = Date()) {
        let parts = Calendar(identifier: .gregorian).dateComponents(
            [.year, .month, .day, .hour, .minute, .second],
            from: moment
        )
        // MS-DOS has two seconds to the unit, and begins in 1980.
        let clock = (parts.hour ?? 0) << 11 | (parts.minute ?? 0) << 5 | (parts.second ?? 0) / 2
        let year = min(max((parts.year ?? 1980) - 1980, 0), 127)
        self.time = UInt16(truncatingIfNeeded: clock)
        self.date = UInt16(
            truncatingIfNeeded: year << 9 | (parts.month ?? 1) << 5 | (parts.day ?? 1)
        )
    }

    /// Adds a file of mode 0600; `name` is relative, with `/` between folders.
    ///
    /// - Throws: `TooLarge`; the archive is as it was then.
    package mutating func add(_ name: String, _ contents: [UInt8]) throws(TooLarge) {
        let name = Array(name.utf8)
        let size = self.entries.count + self.directory.count + contents.count + 2 * name.count
        guard self.count < 0xFFFF, name.count <= 0xFFFF, size < Int(UInt32.max) - 1024 else {
            throw TooLarge()
        }
        let offset = UInt32(self.entries.count)
        var common: [UInt8] = []
        // Version 1.0 to read it; the name is UTF-8; stored.
        for field in [10, 0x0800, 0, self.time, self.date] { common.append(little: field) }
        common.append(little: Self.crc32(contents))
        for _ in 0..<2 { common.append(little: UInt32(contents.count)) }
        for field in [UInt16(name.count), 0] { common.append(little: field) }

        self.entries.append(little: UInt32(0x0403_4B50))
        self.entries += common + name + contents

        self.directory.append(little: UInt32(0x0201_4B50))
        // Made on Unix: the upper half of the attributes is a mode.
        self.directory.append(little: UInt16(0x031E))
        self.directory += common
        for field in [UInt16(0), 0, 0] { self.directory.append(little: field) }
        self.directory.append(little: UInt32(0o100600) << 16)
        self.directory.append(little: offset)
        self.directory += name
        self.count += 1
    }

    /// The file.
    package var bytes: [UInt8] {
        var end: [UInt8] = []
        end.append(little: UInt32(0x0605_4B50))
        for field in [0, 0, UInt16(self.count), UInt16(self.count)] { end.append(little: field) }
        end.append(little: UInt32(self.directory.count))
        end.append(little: UInt32(self.entries.count))
        end.append(little: UInt16(0))
        return self.entries + self.directory + end
    }

    /// The check sum of ISO 3309, reflected.
    static func crc32(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in
                sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1
            }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(little number: some FixedWidthInteger) {
        for shift in stride(from: 0, to: number.bitWidth, by: 8) {
            self.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}
