"""An engine that can be taken away."""

import os
import socket
import threading


class Relay:
    """A unix socket in front of the engine's, to be taken away and put back."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.ends = []
        self.listener = None

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, args=[self.listener], daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.ends += [near, far]
            for source, sink in (near, far), (far, near):
                threading.Thread(target=self.copy, args=[source, sink], daemon=True).start()

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        os.unlink(self.path)
        for end in [self.listener, *self.ends]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        self.ends = []
