import ConfigurationFile
import Foundation

extension Credentials {
    /// The largest file that is read, in bytes.
    static let maximumFileBytes = 64 * 1024

    /// Reads a credentials file; one that others may read, or its group may change, is refused.
    ///
    /// - Throws: that, or what is wrong with the contents.
    package init(file: String) throws(CredentialsError) {
        let data: Data
        do {
            data = try PrivateFile.read(file, maximumBytes: Self.maximumFileBytes)
        } catch {
            throw CredentialsError(reading: error)
        }
        try self.init(decoding: data, file: file)
    }

    /// Writes the file, mode 0600, whole or not at all.
    ///
    /// A file that is there is an error unless `replacing`, since it may hold the only copy of a key.
    ///
    /// - Throws: why it could not be written; no part of it is left behind then.
    package func write(to file: String, replacing: Bool = false) throws(CredentialsError) {
        guard let data = try? self.encoded() else {
            throw CredentialsError(file: file, message: "cannot be encoded")
        }
        do {
            try PrivateFile.write(data, to: file, replacing: replacing)
        } catch {
            let hint =
                error.reason == .exists
                ? ", and may hold the only copy of a key; choose another name" : ""
            throw CredentialsError(file: file, message: error.message + hint)
        }
    }
}

extension CredentialsError {
    /// Why a credentials file cannot be read, with what to do about it.
    fileprivate init(reading failure: PrivateFile.Failure) {
        let message =
            switch failure.reason {
            case .missing:
                "\(failure.message); make one with `culvert tunnel keygen NAME --out FILE`"
            case .exposed(let mode):
                "holds a private key, and its mode \(String(mode, radix: 8)) lets others at it. "
                    + "Run `chmod 600 \(failure.file)`, and make a new key if others may have read it"
            case .tooLarge: "is too large to be a credentials file"
            case .exists, .notAFile, .empty, .system: failure.message
            }
        self.init(file: failure.file, message: message)
    }
}
