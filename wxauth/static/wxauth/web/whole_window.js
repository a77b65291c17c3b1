// Goes on in the whole window. The address is taken as it is: the way back from WeChat stands in it.

if (top !== self) top.location.replace(location.href);
