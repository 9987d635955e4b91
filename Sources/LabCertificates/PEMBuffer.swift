import COpenSSL

/// OpenSSL's memory with a PEM text in it, wiped when it goes away.
struct PEMBuffer: ~Copyable {
    let pointer: OpaquePointer

    /// An empty one, to be written to.
    init() throws(LabFailure) {
        guard let pointer = BIO_new(BIO_s_secmem()) else {
            throw LabFailure.openSSL("get memory")
        }
        self.pointer = pointer
    }

    /// One to be read.
    init(_ content: [UInt8]) throws(LabFailure) {
        guard let pointer = BIO_new(BIO_s_secmem()) else {
            throw LabFailure.openSSL("get memory")
        }
        guard BIO_write(pointer, content, CInt(clamping: content.count)) == content.count else {
            BIO_free(pointer)
            throw LabFailure.openSSL("get memory")
        }
        self.pointer = pointer
    }

    deinit { BIO_free(pointer) }

    /// Takes out what was written.
    consuming func content() -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = BIO_read(pointer, &chunk, CInt(chunk.count))
            guard count > 0 else { return content }
            content.append(contentsOf: chunk[..<Int(count)])
        }
    }
}
