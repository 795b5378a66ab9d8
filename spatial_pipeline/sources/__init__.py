"""Where bytes come from and what may be read: files, archives, web servers, object stores."""
