"""Name servers that take DNS UPDATE with TSIG and sign what they get: BIND and Knot; and an Unbound that validates it. On loopback addresses."""
import os
import re
import shutil
import subprocess
import tempfile

import real_dns
from world import check, ip, wait_for

ZONE = 'publish.test'
TTL_S = 2
TSIG_NAME, TSIG_SECRET = 'admin', 'bm90IGEgc2VjcmV0IGF0IGFsbCwgYSB0ZXN0IGhhcyBpdA=='
ZONE_FILE = f'''$ORIGIN {ZONE}.
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 1
@ NS ns
ns A %s
www A 192.0.2.2
www2 A 192.0.2.2
alias CNAME www
'''


class Server:
    """One zone, signed by the server itself. A context."""
    port = 53

    def __init__(self, address):
        self.address, self.process = address, None
        self.folder = tempfile.mkdtemp(prefix='oe-signing.')
        ip('addr', 'replace', address + '/8', 'dev', 'lo')      # BIND listens on addresses that an interface has
        self.zone_file = self.write('zone', ZONE_FILE % address)
        self.tsig = self.write('tsig.key', f'key "{TSIG_NAME}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};\n')

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='ascii') as out:
            out.write(text)
        return path

    def dig(self, *arguments, server=None):
        return subprocess.run(['dig', '+norec', f'@{server or self.address}', *arguments], capture_output=True, text=True, timeout=10,
                              check=False).stdout

    def dnskey(self):
        return self.dig('+short', ZONE, 'DNSKEY')

    def has_signed(self):
        return 'RRSIG' in self.dig('+dnssec', 'www.' + ZONE, 'A') and self.dnskey()

    def records(self, name):
        """The RDATA of its IPSECKEY records, as text without blanks inside the key."""
        return sorted(re.sub(r'(\S+ \S+ \S+ \S+) (.*)', lambda m: m[1] + ' ' + m[2].replace(' ', ''), line)
                      for line in self.dig('+short', f'{name}.{ZONE}', 'IPSECKEY').splitlines())

    def __enter__(self):
        with open(os.path.join(self.folder, 'log'), 'wb') as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        try:
            wait_for(f'{type(self).__name__} signs', 20, self.has_signed)
        except Exception:
            with open(os.path.join(self.folder, 'log'), encoding='utf-8', errors='replace') as log:
                print(log.read()[-3000:])
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder)


class Bind(Server):
    says_to_strangers = 'refuses'

    def command(self):
        conf = self.write('named.conf', f'''include "{self.tsig}";
controls {{ }};
options {{
    directory "{self.folder}"; pid-file none; session-keyfile none; listen-on {{ {self.address}; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no;
}};
zone "{ZONE}" {{
    type primary; file "{self.zone_file}"; dnssec-policy default; inline-signing no;
    update-policy {{ grant {TSIG_NAME} zonesub IPSECKEY; }};
}};
''')
        return ['named', '-g', '-c', conf, '-n', '1']


class Knot(Server):
    says_to_strangers = 'does not know the TSIG key'

    def command(self):
        conf = self.write('knot.conf', f'''server:
    listen: {self.address}@53
    rundir: {self.folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder}
key:
  - id: {TSIG_NAME}
    algorithm: hmac-sha256
    secret: {TSIG_SECRET}
acl:
  - id: update
    key: {TSIG_NAME}
    action: update
zone:
  - domain: {ZONE}
    storage: {self.folder}
    file: zone
    acl: update
    dnssec-signing: on
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
''')
        return ['knotd', '-c', conf]


class Validator:
    """Unbound without the module, which has the server's DNSKEY as its trust anchor. A context."""

    def __init__(self, world, server):
        self.program = real_dns.paths(world.build).unbound
        anchors = ''.join(f'{ZONE}. IN DNSKEY {line}\n' for line in server.dnskey().splitlines() if line.startswith('257 '))
        self.conf = server.write('unbound.conf', f'''server:
    interface: 127.0.0.1
    username: ""
    chroot: ""
    directory: "{server.folder}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    do-not-query-localhost: no
    module-config: "validator iterator"
    trust-anchor-file: "{server.write('anchor', anchors)}"
    local-zone: "test." nodefault
stub-zone:
    name: "{ZONE}."
    stub-addr: {server.address}
remote-control:
    control-enable: no
''')
        self.process, self.server = None, server

    def __enter__(self):
        self.process = subprocess.Popen([self.program, '-d', '-c', self.conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        wait_for('Unbound validates', 10, lambda: ' ad' in self.server.dig('+rec', 'www.' + ZONE, 'A', server='127.0.0.1').replace(';', ' '))
        check(self.process.poll() is None, 'Unbound has ended')
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate(timeout=10)
